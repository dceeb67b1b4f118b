"""Compressed streams by their kind, whatever library is fastest at each.

isal inflates, zlib-ng deflates (Go's size for half of zlib's CPU), backports.zstd does zstd; all of
them let other threads run while they work. Where a wheel is missing, zlib takes its place.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib import import_module
from typing import Any, Final, Protocol

from knarr.errors import InvalidArgument


def _first_of(*names: str) -> Any:
    """The first of these modules that is installed; a platform may lack a wheel."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError(f"none of {', '.join(names)} is installed")


_inflating: Final = _first_of("isal.isal_zlib", "zlib")
_deflating: Final = _first_of("zlib_ng.zlib_ng", "zlib")
_zstd: Final = _first_of("compression.zstd", "backports.zstd")

PIECE_BYTES: Final = 1 << 20  # no decompressor hands out more than this at once
MAGIC_BYTES: Final = 6  # what `sniffed` wants to see
_GZIP_WINDOW: Final = 31  # zlib's wbits: a window of 32 KiB, gzip's header and trailer
_FREE_BYTES: Final = 1 << 30  # may come of however little
_RATIO: Final = 2000
_XZ_MEMORY_BYTES: Final = 256 << 20


class Compression(StrEnum):
    """How a stream is packed; the values are what media types say after the plus sign."""

    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


_MAGIC: Final = {
    b"\x1f\x8b\x08": Compression.GZIP,
    b"\x28\xb5\x2f\xfd": Compression.ZSTD,
    b"BZh": Compression.BZIP2,
    b"\xfd7zXZ\x00": Compression.XZ,
}
_SKIPPABLE_ZSTD: Final = bytes(range(0x50, 0x60))  # a first frame that holds no data: 5? 2A 4D 18


def sniffed(head: bytes) -> Compression:
    """What the first bytes of a stream say; NONE where they say nothing."""
    if head[1:4] == b"\x2a\x4d\x18" and head[0] in _SKIPPABLE_ZSTD:
        return Compression.ZSTD
    return next(
        (kind for magic, kind in _MAGIC.items() if head.startswith(magic)), Compression.NONE
    )


class Decompressor(Protocol):
    """Bytes in, bytes out in pieces of at most PIECE_BYTES, so that no bomb fills the memory."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What ``chunk`` unpacks to. Raises InvalidArgument where the stream is damaged."""

    def finish(self) -> None:
        """Call at the end of the input. Raises InvalidArgument where the stream is cut short."""


def refuse_bomb(plain_bytes: int, packed_bytes: int) -> None:
    """Call now and then while a layer is unpacked. Raises InvalidArgument for what only wants to
    fill a disk: gzip makes at most 1032 bytes of one, and no file system needs more.
    """
    if plain_bytes > max(_FREE_BYTES, packed_bytes * _RATIO):
        raise InvalidArgument(
            f"a layer unpacks to more than {plain_bytes} bytes from {packed_bytes}: refused"
        )


class Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def decompressor(kind: Compression) -> Decompressor:
    match kind:
        case Compression.NONE:
            return _Plain()
        case Compression.GZIP:
            return _Gzip()
        case _:
            return _Framed(kind)


def compressor(kind: Compression, level: int | None = None) -> Compressor:
    """``level`` is the format's own; None for what is best in a registry: gzip 5, zstd 3."""
    match kind:
        case Compression.GZIP:
            packer: Compressor = _deflating.compressobj(
                5 if level is None else level, zlib.DEFLATED, _GZIP_WINDOW
            )
            return packer
        case Compression.ZSTD:
            packed: Compressor = _zstd.ZstdCompressor(level=3 if level is None else level)
            return packed
        case Compression.NONE:
            return _Stored()
        case _:
            raise InvalidArgument(f"layers are not compressed with {kind}")


def plain_chunks(chunks: Callable[[], bytes]) -> Callable[[], bytes]:
    """A stream of chunks (empty ends it) unpacked, by what its first bytes say it is."""
    pieces = _unpacked(chunks)
    return lambda: next(pieces, b"")


def _unpacked(chunks: Callable[[], bytes]) -> Iterator[bytes]:
    chunk = b""
    while len(chunk) < MAGIC_BYTES and (more := chunks()):
        chunk += more
    unpacking = decompressor(sniffed(chunk))
    while chunk:
        yield from unpacking.feed(chunk)
        chunk = chunks()
    unpacking.finish()


class _Stored:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Plain:
    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if chunk:
            yield chunk

    def finish(self) -> None:
        """A plain stream may end anywhere."""


class _Gzip:
    """Members one after another are one stream; what follows them and is none is left alone.

    Tools pad archives with zeros, and gzip(1) passes over garbage with a warning. The digest of
    the compressed blob covers it either way.
    """

    def __init__(self) -> None:
        self._member: Any = _inflating.decompressobj(_GZIP_WINDOW)
        self._between = False  # a member has ended and no other has begun
        self._held = b""  # too little to tell a new member from garbage
        self._garbage = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        data = self._held + chunk
        self._held = b""
        while data and not self._garbage:
            if self._between:
                if len(data) < 3 and b"\x1f\x8b\x08".startswith(data):
                    self._held = data
                    return
                if not data.startswith(b"\x1f\x8b\x08"):
                    self._garbage = True
                    return
                self._member = _inflating.decompressobj(_GZIP_WINDOW)
                self._between = False
            yield from self._inflated(data)
            data = self._member.unused_data if self._member.eof else b""
            self._between = self._member.eof

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        try:
            piece = self._member.decompress(data, PIECE_BYTES)
            while piece:
                yield piece
                if self._member.eof or not (
                    self._member.unconsumed_tail or len(piece) == PIECE_BYTES
                ):
                    return
                piece = self._member.decompress(self._member.unconsumed_tail, PIECE_BYTES)
        except (_inflating.error, zlib.error) as error:
            raise InvalidArgument(f"the gzip stream is damaged: {error}") from error

    def finish(self) -> None:
        if not (self._between or self._garbage):
            raise InvalidArgument("the gzip stream is cut short: unexpected EOF")


class _Framed:
    """zstd, bzip2 and xz: the three libraries have one interface, and frames may follow frames."""

    def __init__(self, kind: Compression) -> None:
        self._kind = kind
        self._frame: Any = _frame(kind)
        self._empty = True  # nothing of the present frame has been seen

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        data = chunk
        try:
            while data or not (self._frame.needs_input or self._frame.eof):
                if self._frame.eof:
                    data = data.lstrip(b"\0")  # xz pads its streams, archives are padded
                    if not data:
                        return
                    self._frame, self._empty = _frame(self._kind), True
                self._empty = False
                if piece := self._frame.decompress(data, PIECE_BYTES):
                    yield piece
                data = self._frame.unused_data if self._frame.eof else b""
        except (OSError, lzma.LZMAError, _zstd.ZstdError) as error:
            raise InvalidArgument(f"the {self._kind} stream is damaged: {error}") from error

    def finish(self) -> None:
        if self._empty or not self._frame.eof:
            raise InvalidArgument(f"the {self._kind} stream is cut short: unexpected EOF")


def _frame(kind: Compression) -> Any:
    match kind:
        case Compression.ZSTD:
            return _zstd.ZstdDecompressor()
        case Compression.BZIP2:
            return bz2.BZ2Decompressor()
        case _:
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
