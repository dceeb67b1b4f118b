"""Sparse files: four notations of one thing, a list of segments with holes between them.

Source: GNU tar manual, "Storing Sparse Files": the old GNU format, and PAX formats 0.0, 0.1, 1.0.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from knarr.errors import InvalidArgument
from knarr.snapshot.tar import header
from knarr.snapshot.tar.header import BLOCK, SPARSE_MAP, Header, Member

_SEGMENTS_MAX: Final = 1 << 16
_SECOND_NS: Final = 1_000_000_000
_MAJOR: Final = b"GNU.sparse.major"
_MINOR: Final = b"GNU.sparse.minor"
_REAL_SIZE: Final = b"GNU.sparse.realsize"
_SIZE: Final = b"GNU.sparse.size"
_NAME: Final = b"GNU.sparse.name"


class Source(Protocol):
    position: int

    def take(self, count: int) -> bytes: ...


def is_sparse(records: dict[bytes, bytes]) -> bool:
    return SPARSE_MAP in records or _MAJOR in records or _SIZE in records


def old_gnu(source: Source, block: bytes, fields: Header) -> Member:
    """Four segments in the header at 386, more in blocks of 21 while a flag says so."""
    numbers = _entries(block[386:482])
    more, size = block[482], header.number(block[483:495])
    while more:
        block = source.take(BLOCK)
        if len(block) < BLOCK or len(numbers) > 2 * _SEGMENTS_MAX:
            raise InvalidArgument("invalid tar header: broken sparse map")
        numbers += _entries(block[:504])
        more = block[504]
    return Member(
        fields.name, header.REGULAR, fields.mode, fields.uid, fields.gid, size,
        fields.mtime * _SECOND_NS, start=source.position, stored=fields.size,
        segments=_checked(numbers, size, fields.size),
    )  # fmt: skip


def _entries(table: bytes) -> list[int]:
    fields = (table[at : at + 12] for at in range(0, len(table), 12))
    return [header.number(field) for field in fields if field[0]]


def pax(source: Source, member: Member, records: dict[bytes, bytes]) -> Member:
    """PAX: the map is a record (0.1), or stands in decimal lines before the content (1.0)."""
    name = records.get(_NAME) or member.name
    size = _number(records.get(_REAL_SIZE) or records.get(_SIZE) or b"0")
    stored = member.stored
    match records.get(_MAJOR), records.get(_MINOR):
        case b"1", b"0":
            numbers, used = _map_in_content(source, stored)
            stored -= used
        case (None, None) | (b"0", b"0" | b"1") if SPARSE_MAP in records:
            numbers = [_number(each) for each in records[SPARSE_MAP].split(b",") if each]
        case _:
            raise InvalidArgument("this notation of sparse files is not supported")
    return member._replace(
        name=name,
        size=size,
        start=source.position,
        stored=stored,
        segments=_checked(numbers, size, stored),
    )


def _map_in_content(source: Source, stored: int) -> tuple[list[int], int]:
    """The count of segments, then offset and length of each, a line a number, padded to blocks."""
    text, used, wanted = b"", 0, 1
    while text.count(b"\n") < wanted:
        block = source.take(BLOCK)
        used += BLOCK
        if len(block) < BLOCK or used > stored:
            raise InvalidArgument("invalid tar header: broken sparse map")
        text += block
        if wanted == 1 and b"\n" in text:
            count = _number(text.partition(b"\n")[0])
            if count > _SEGMENTS_MAX:
                raise InvalidArgument("invalid tar header: too many segments in a sparse file")
            wanted = 1 + 2 * count
    lines = text.split(b"\n")[1:wanted]
    return [_number(line) for line in lines], used


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise InvalidArgument("invalid tar header: broken sparse map")
    return int(text)


def _checked(numbers: list[int], size: int, stored: int) -> tuple[tuple[int, int], ...]:
    """Pairs in order, without overlap, inside the file, and as long together as what is stored."""
    if len(numbers) % 2 or len(numbers) > 2 * _SEGMENTS_MAX:
        raise InvalidArgument("invalid tar header: broken sparse map")
    segments = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if not _in_order(segments, size) or sum(length for _, length in segments) != stored:
        raise InvalidArgument("invalid tar header: broken sparse map")
    return tuple(each for each in segments if each[1])


def _in_order(segments: Iterable[tuple[int, int]], size: int) -> bool:
    end = 0
    for offset, length in segments:
        if offset < end or length < 0:
            return False
        end = offset + length
    return end <= size
