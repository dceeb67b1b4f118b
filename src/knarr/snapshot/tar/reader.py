"""Members out of a buffer (a mapped file) or a stream of chunks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol

from knarr.errors import InvalidArgument
from knarr.snapshot.tar import header, sparse
from knarr.snapshot.tar.header import BLOCK, Member, padding

_ZEROS: Final = bytes(BLOCK)
_SECOND_NS: Final = 1_000_000_000
_EXTENSION_BYTES: Final = 1 << 20  # of a PAX header or a long name
_HEADER_ONLY: Final = frozenset({
    header.HARD_LINK, header.SYMLINK, header.CHARACTER,
    header.BLOCK_DEVICE, header.DIRECTORY, header.FIFO,
})  # fmt: skip
_SAID_BEFORE: Final = frozenset({
    header.PAX, header.PAX_GLOBAL, header.GNU_LONG_NAME, header.GNU_LONG_LINK, header.GNU_SPARSE,
})  # fmt: skip
_PLAIN: Final = {header.OLD_REGULAR: header.REGULAR, header.CONTIGUOUS: header.REGULAR}
_OWNERS: Final = (1 << 32) - 1  # the last one means "do not change" to chown(2)
_SIZE_MAX: Final = (1 << 63) - 1
_MAJORS: Final = 1 << 12
_MINORS: Final = 1 << 20
_NO_RECORDS: Final[dict[bytes, bytes]] = {}


class Limits(NamedTuple):
    """How much of an archive is read before it counts as an attack."""

    members: int = 1_000_000
    content_bytes: int = 1 << 40  # of all members, holes included


LIMITS: Final = Limits()


class Source(Protocol):
    """Bytes of an archive, forward only."""

    position: int

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes; fewer only at the end of the archive."""

    def skip_to(self, position: int) -> None:
        """Go forward. May find out later that the archive ends before."""


class _Buffer:
    """A mapped archive."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        start = self.position
        piece = bytes(self._data[start : start + count])
        self.position = start + len(piece)
        return piece

    def skip_to(self, position: int) -> None:
        if position > len(self._data):
            raise InvalidArgument("the archive is cut short: unexpected EOF")
        self.position = position


def members(data: bytes | memoryview, limits: Limits = LIMITS) -> Iterator[Member]:
    """The members of an archive in memory, in order.

    Raises InvalidArgument for a broken or truncated archive, or one beyond the limits. Global PAX
    headers are passed over, as Docker does.
    """
    return read_members(_Buffer(data), limits)


def read_members(source: Source, limits: Limits) -> Iterator[Member]:
    return bounded(_all(source), limits)


def bounded(members: Iterable[Member], limits: Limits) -> Iterator[Member]:
    """The same members. Raises InvalidArgument at the first one beyond the limits."""
    left, content_left = limits.members, limits.content_bytes
    for member in members:
        left, content_left = left - 1, content_left - member.size
        if left < 0:
            raise InvalidArgument(f"the archive has more than {limits.members} members")
        if content_left < 0:
            raise InvalidArgument(f"the archive unpacks to more than {limits.content_bytes} bytes")
        yield member


def _all(source: Source) -> Iterator[Member]:
    while (member := _next(source)) is not None:
        yield member
        source.skip_to(member.start + member.stored + padding(member.stored))


def _next(source: Source) -> Member | None:
    """The next member with all that was said about it in headers before; None at the end."""
    records, long_name, long_link = _NO_RECORDS, b"", b""
    while True:
        block = source.take(BLOCK)
        if len(block) < BLOCK or block == _ZEROS:
            if len(block) % BLOCK:
                raise InvalidArgument("the archive is cut short: unexpected EOF")
            return None
        fields = header.parsed(block)
        if fields.kind not in _SAID_BEFORE:
            return _member(source, fields, records, long_name, long_link)
        match fields.kind:
            case header.PAX:
                records = header.pax_records(_extension(source, fields.size))
            case header.PAX_GLOBAL:
                _extension(source, fields.size)
            case header.GNU_LONG_NAME:
                long_name = _extension(source, fields.size).partition(b"\0")[0]
            case header.GNU_LONG_LINK:
                long_link = _extension(source, fields.size).partition(b"\0")[0]
            case _:
                return _named(sparse.old_gnu(source, block, fields), records, long_name)


def _extension(source: Source, size: int) -> bytes:
    if not 0 <= size <= _EXTENSION_BYTES:
        raise InvalidArgument(f"invalid tar header: an extended header of {size} bytes")
    payload = source.take(size + padding(size))
    if len(payload) < size + padding(size):
        raise InvalidArgument("the archive is cut short: unexpected EOF")
    return payload[:size]


def _member(
    source: Source,
    fields: header.Header,
    records: dict[bytes, bytes],
    long_name: bytes,
    long_link: bytes,
) -> Member:
    name, mode, uid, gid, size, mtime, kind, link, major, minor = fields
    name = long_name or name
    if kind == header.OLD_REGULAR and name.endswith(b"/"):
        kind = header.DIRECTORY
    kind = _PLAIN.get(kind, kind)
    if kind in _HEADER_ONLY:
        size = 0
    member = Member(
        name, kind, mode, uid, gid, size, mtime * _SECOND_NS, long_link or link, major, minor,
        _NO_RECORDS, source.position, size,
    )  # fmt: skip
    if records:
        member = _with_records(member, records)
        if sparse.is_sparse(records):
            member = sparse.pax(source, member, records)
    return _in_range(member)


def _in_range(member: Member) -> Member:
    """What the kernel has numbers for. Raises InvalidArgument for the rest."""
    _, _, _, uid, gid, size, _, _, major, minor, _, _, stored, _ = member
    if not (0 <= uid < _OWNERS and 0 <= gid < _OWNERS):
        raise InvalidArgument(f"invalid tar header: the owner {uid}:{gid}")
    if not (0 <= size <= _SIZE_MAX and 0 <= stored <= _SIZE_MAX):
        raise InvalidArgument(f"invalid tar header: a size of {size} bytes")
    if not (0 <= major < _MAJORS and 0 <= minor < _MINORS):
        raise InvalidArgument(f"invalid tar header: a device {major}:{minor}")
    return member


def _with_records(member: Member, records: dict[bytes, bytes]) -> Member:
    """PAX records before the header win; an empty value leaves the header's own."""
    changes: dict[str, object] = {}
    for key, field in ((b"path", "name"), (b"linkpath", "link")):
        if value := records.get(key):
            if b"\0" in value:
                raise InvalidArgument("invalid tar header: a NUL in a name")
            changes[field] = value
    for key, field in ((b"uid", "uid"), (b"gid", "gid")):
        if value := records.get(key):
            changes[field] = _decimal(value)
    if (value := records.get(b"size")) and member.kind not in _HEADER_ONLY:
        changes["size"] = changes["stored"] = _decimal(value)
    if value := records.get(b"mtime"):
        changes["mtime_ns"] = header.pax_time_ns(value)
    xattrs = {
        key[len(header.XATTR) :]: value
        for key, value in records.items()
        if key.startswith(header.XATTR)
    }
    return member._replace(xattrs=xattrs, **changes)  # type: ignore[arg-type]


def _named(member: Member, records: dict[bytes, bytes], long_name: bytes) -> Member:
    stored = member.stored
    member = member._replace(name=long_name or member.name)
    return _in_range(_with_records(member, records)._replace(stored=stored))


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        raise InvalidArgument(f"invalid tar header: {value!r} is no number")
    return int(value)


class TarStream:
    """An archive that arrives in chunks: its members in order, the content of each to be read.

    ``chunks`` gives the next chunk, or empty bytes at the end. What is not read is passed over.
    """

    def __init__(self, chunks: Callable[[], bytes], limits: Limits = LIMITS) -> None:
        self._chunks = chunks
        self._limits = limits
        self._chunk: memoryview = memoryview(b"")
        self.position = 0

    def __iter__(self) -> Iterator[Member]:
        return read_members(self, self._limits)

    def take(self, count: int) -> bytes:
        if len(self._chunk) >= count:
            piece = bytes(self._chunk[:count])
            self._chunk = self._chunk[count:]
            self.position += count
            return piece
        return b"".join(self.pieces(count, exact=False))

    def skip_to(self, position: int) -> None:
        for _ in self.pieces(position - self.position):
            pass

    def content(self, member: Member) -> Iterator[memoryview]:
        """The stored content of the present member, in pieces as they came. Once only."""
        return self.pieces(member.start + member.stored - self.position)

    def read(self, member: Member, limit: int) -> bytes:
        """The whole content of a small member. Raises InvalidArgument if it is over ``limit``."""
        if member.stored > limit:
            name = member.name.decode(errors="replace")
            raise InvalidArgument(f"{name} in the archive is too large: {member.stored} bytes")
        return b"".join(self.content(member))

    def drain(self) -> None:
        """Read whatever follows the end of the archive, so that the sender is not cut off."""
        self._chunk = memoryview(b"")
        while chunk := self._chunks():
            self.position += len(chunk)

    def pieces(self, count: int, *, exact: bool = True) -> Iterator[memoryview]:
        """The next ``count`` bytes. Raises InvalidArgument where the stream ends before."""
        while count > 0:
            if not self._chunk:
                self._chunk = memoryview(self._chunks())
                if not self._chunk:
                    if exact:
                        raise InvalidArgument("the archive is cut short: unexpected EOF")
                    return
            piece = self._chunk[:count]
            self._chunk = self._chunk[len(piece) :]
            self.position += len(piece)
            count -= len(piece)
            yield piece
