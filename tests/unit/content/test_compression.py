import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from knarr.content.compression import (
    PIECE_BYTES,
    Compression,
    compressor,
    decompressor,
    sniffed,
)
from knarr.errors import InvalidArgument

WITH_CHECKSUM: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
PACK: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.NONE: bytes,
    Compression.GZIP: gzip.compress,
    Compression.ZSTD: lambda data: zstd.compress(data, options=WITH_CHECKSUM),
    Compression.BZIP2: bz2.compress,
    Compression.XZ: lzma.compress,
}
PACKED = [kind for kind in Compression if kind]


def unpacked(kind: Compression, packed: bytes, step: int) -> bytes:
    stream = decompressor(kind)
    pieces = [
        piece
        for start in range(0, len(packed), step)
        for piece in stream.feed(packed[start : start + step])
    ]
    stream.finish()
    assert all(0 < len(piece) <= max(PIECE_BYTES, step) for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("kind", Compression)
@given(data=st.binary(max_size=3000), step=st.integers(1, 700))
def test_what_was_packed_comes_out_again_however_it_arrives(
    kind: Compression, data: bytes, step: int
) -> None:
    assert unpacked(kind, PACK[kind](data), step) == data


@pytest.mark.parametrize("kind", PACKED)
def test_the_magic_tells_the_kind(kind: Compression) -> None:
    assert sniffed(PACK[kind](b"something")) is kind


def test_a_zstd_stream_may_begin_with_a_frame_to_skip() -> None:
    packed = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc" + zstd.compress(b"data")
    assert sniffed(packed) is Compression.ZSTD
    assert unpacked(Compression.ZSTD, packed, 5) == b"data"


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_members_one_after_another_are_one_stream(kind: Compression, step: int) -> None:
    packed = PACK[kind](b"one ") + PACK[kind](b"two ") + PACK[kind](b"three")
    assert unpacked(kind, packed, step) == b"one two three"


@pytest.mark.parametrize("tail", [b"\0" * 700, b"\x1f", b"garbage after the end"])
@pytest.mark.parametrize("step", [1, 10_000])
def test_garbage_after_a_gzip_member_is_passed_over(tail: bytes, step: int) -> None:
    assert unpacked(Compression.GZIP, gzip.compress(b"data") + tail, step) == b"data"


@pytest.mark.parametrize("kind", PACKED)
def test_a_stream_that_is_cut_short_is_refused(kind: Compression) -> None:
    packed = PACK[kind](bytes(range(256)) * 20)
    with pytest.raises(InvalidArgument, match="cut short"):
        unpacked(kind, packed[:-5], 1000)
    with pytest.raises(InvalidArgument, match="cut short"):
        unpacked(kind, b"", 1)


@pytest.mark.parametrize("kind", PACKED)
def test_a_damaged_stream_is_refused(kind: Compression) -> None:
    packed = bytearray(PACK[kind](bytes(range(256)) * 2000))
    middle = len(packed) // 2
    packed[middle : middle + 8] = b"\xff" * 8
    with pytest.raises(InvalidArgument, match=r"damaged|cut short"):
        unpacked(kind, bytes(packed), 1000)


@pytest.mark.parametrize("kind", PACKED)
def test_a_bomb_comes_out_in_small_pieces(kind: Compression) -> None:
    """`unpacked` asserts the bound of each piece; 32 MiB of zeros pack to a few KiB."""
    size = 32 << 20
    assert len(unpacked(kind, PACK[kind](bytes(size)), 1 << 20)) == size


@pytest.mark.parametrize("kind", [Compression.NONE, Compression.GZIP, Compression.ZSTD])
def test_what_a_compressor_writes_is_read_again(kind: Compression) -> None:
    packer = compressor(kind)
    packed = packer.compress(b"some " * 1000) + packer.compress(b"data") + packer.flush()
    assert unpacked(kind, packed, 100) == b"some " * 1000 + b"data"
    assert not kind or len(packed) < 200


def test_layers_are_not_packed_with_what_no_engine_reads() -> None:
    with pytest.raises(InvalidArgument, match="bzip2"):
        compressor(Compression.BZIP2)
