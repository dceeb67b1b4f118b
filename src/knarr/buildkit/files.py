"""Files from a client, as it sends directories: what is there first, then what is asked for.

They become a tar that streams on, so nothing of what the client says is ever opened as a path
here; the archive's reader refuses names that climb (build/context.py).

Source: tonistiigi/fsutil, send.go and receive.go.
"""

import posixpath
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from knarr.buildkit import grpc
from knarr.buildkit.grpc import Call
from knarr.buildkit.messages import Packet, Stat
from knarr.buildkit.sessions import Session
from knarr.errors import InvalidArgument, Unavailable, Unsupported
from knarr.snapshot.tar import Member, formatted, header, padding

DIFF_COPY: Final = "/moby.filesync.v1.FileSync/DiffCopy"

STAT, REQUEST, DATA, FIN, ERROR = range(5)

_ENTRIES_MAX: Final = 1_000_000
_TEXT_MAX: Final = 4 << 20  # bytes of a Dockerfile or an ignore file
_AHEAD_BYTES: Final = 4 << 20  # of files that are asked for before it is their turn
_AHEAD_FILES: Final = 64

# Go's os.FileMode.
DIRECTORY: Final = 1 << 31
SYMLINK: Final = 1 << 27
_DEVICE: Final = 1 << 26
_FIFO: Final = 1 << 25
_SOCKET: Final = 1 << 24
_SETUID: Final = 1 << 23
_SETGID: Final = 1 << 22
_CHARACTER: Final = 1 << 21
_STICKY: Final = 1 << 20
_TYPES: Final = DIRECTORY | SYMLINK | _DEVICE | _FIFO | _SOCKET | 1 << 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A directory of the client's, by the name that it goes by in the session, and what of it.

    follow: paths of which alone is sent, and where links among them lead.
    """

    name: str
    exclude: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()

    def metadata(self) -> list[tuple[str, str]]:
        """Values that are no plain text travel percent-encoded, and say so."""
        pairs = [("dir-name", self.name)]
        pairs += [("exclude-patterns", each) for each in self.exclude]
        pairs += [("followpaths", each) for each in self.follow]
        coded: list[tuple[str, str]] = []
        for key in dict.fromkeys(key for key, _ in pairs):
            values = [value for name, value in pairs if name == key]
            if all(_is_plain(value) for value in values):
                coded += [(key, value) for value in values]
            else:
                coded.append((f"{key}-encoded", "1"))
                coded += [(key, quote(value, safe="/", errors="surrogateescape"))
                          for value in values]  # fmt: skip
        return coded


def _is_plain(value: str) -> bool:
    """Whether it survives as a header's value, which is trimmed."""
    return value.isascii() and value.isprintable() and value == value.strip() and value != ""


@dataclass(slots=True)
class Transfer:
    """How far the files have come, for people."""

    bytes: int = 0
    files: int = 0


async def archive_of(
    session: Session, wanted: Wanted, prefix: str = "", transfer: Transfer | None = None
) -> AsyncIterator[bytes]:
    """The directory as members of a tar, without an archive's end. Raises Status, Unavailable.

    prefix: a folder in the archive, under which the members go.
    """
    if not session.has(DIFF_COPY):
        raise Unsupported("the client's session sends no files")
    transfer = transfer or Transfer()
    async with session.call(DIFF_COPY, wanted.metadata()) as call:
        listing = await _listing(call, wanted.name)
        sending = _Sending(call, wanted.name, listing, transfer)
        for number, stat in enumerate(listing):
            member = _member(stat, prefix)
            if member is None:
                continue
            yield formatted(member)
            if member.kind == header.REGULAR:
                async for piece in sending.content(number):
                    yield piece
                yield bytes(padding(stat.size))
                transfer.files += 1
        await _finish(call, wanted.name)


async def _listing(call: Call, name: str) -> list[Stat]:
    """All that is there, parents first; an empty entry ends it."""
    found: list[Stat] = []
    while (packet := await _packet(call, name)) is not None:
        if packet.type == STAT:
            if packet.stat is None:
                return found
            found.append(packet.stat)
            if len(found) > _ENTRIES_MAX:
                raise InvalidArgument(f"{name} has more than {_ENTRIES_MAX} files")
    raise Unavailable(f"the client broke off sending {name}")


async def _finish(call: Call, name: str) -> None:
    """All is here: said, and heard by the client."""
    await call.send(Packet(type=FIN))
    while await _packet(call, name) is not None:
        pass


async def _packet(call: Call, name: str) -> Packet | None:
    packet = await call.receive(Packet)
    if packet is None:
        await grpc.finished(call)
    elif packet.type == ERROR:
        reason = packet.data.decode(errors="replace")
        raise Unavailable(f"the client could not send {name}: {reason}")
    return packet


@dataclass(slots=True)
class _Coming:
    """What of a file came while another one had its turn."""

    pieces: deque[bytes] = field(default_factory=deque)
    got: int = 0
    over: bool = False


class _Sending:
    """Contents in the order of the listing. Small files are asked for ahead, large ones not."""

    def __init__(self, call: Call, name: str, listing: list[Stat], transfer: Transfer) -> None:
        self._call = call
        self._name = name
        self._sizes = {n: stat.size for n, stat in enumerate(listing) if _has_content(stat)}
        self._paths = listing
        self._queue = deque(self._sizes)
        self._coming: dict[int, _Coming] = {}
        self._asked_bytes = 0
        self._transfer = transfer

    async def content(self, number: int) -> AsyncIterator[bytes]:
        """Exactly as much as the listing said. Raises Unavailable for a file that changed."""
        await self._ask_ahead()
        coming = self._coming[number]
        while coming.pieces or not coming.over:
            while coming.pieces:
                piece = coming.pieces.popleft()
                self._transfer.bytes += len(piece)
                yield piece
            if not coming.over:
                await self._take()
        if coming.got != self._sizes[number]:
            raise self._changed(number)
        del self._coming[number]
        self._asked_bytes -= self._sizes[number]

    async def _ask_ahead(self) -> None:
        while self._queue:
            size = self._sizes[self._queue[0]]
            full = self._asked_bytes + size > _AHEAD_BYTES or len(self._coming) >= _AHEAD_FILES
            if full and self._coming:
                return
            number = self._queue.popleft()
            self._coming[number] = _Coming()
            self._asked_bytes += size
            await self._call.send(Packet(type=REQUEST, id=number))

    async def _take(self) -> None:
        packet = await _packet(self._call, self._name)
        if packet is None:
            raise Unavailable(f"the client broke off sending {self._name}")
        if packet.type != DATA:
            return
        coming = self._coming.get(packet.id)
        if coming is None or coming.over:
            raise InvalidArgument("the client sends a file that it was not asked for")
        if packet.data:
            coming.got += len(packet.data)
            if coming.got > self._sizes[packet.id]:
                raise self._changed(packet.id)
            coming.pieces.append(packet.data)
        else:
            coming.over = True

    def _changed(self, number: int) -> Unavailable:
        path = self._paths[number].path
        return Unavailable(f"{path} changed or could not be read while it was sent: build again")


def _has_content(stat: Stat) -> bool:
    return not stat.mode & _TYPES and not stat.link


def _member(stat: Stat, prefix: str) -> Member | None:
    """None for what no archive holds: sockets, and files of unknown kinds."""
    path = _within(prefix, stat.path)
    kind = _kind(stat)
    if kind is None or stat.size < 0:
        return None
    permissions = stat.mode & 0o777
    for bit, mode in ((_SETUID, 0o4000), (_SETGID, 0o2000), (_STICKY, 0o1000)):
        permissions |= mode if stat.mode & bit else 0
    link = stat.link
    if kind == header.HARD_LINK:
        link = _within(prefix, link)
    return Member(
        name=path.encode(errors="surrogateescape"),
        kind=kind,
        mode=permissions,
        uid=stat.uid,
        gid=stat.gid,
        size=stat.size if kind == header.REGULAR else 0,
        mtime_ns=stat.mtime_ns,
        link=link.encode(errors="surrogateescape"),
        major=stat.device_major,
        minor=stat.device_minor,
        xattrs={key.encode(): value for key, value in stat.xattrs.items()},
    )


def _within(prefix: str, name: str) -> str:
    """A name beneath the prefix. Raises InvalidArgument where it climbs out of it."""
    path = posixpath.normpath(name.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise InvalidArgument(f"forbidden path outside the build context: {name}")
    return posixpath.join(prefix, path) if prefix else path


def _kind(stat: Stat) -> bytes | None:
    special = stat.mode & _TYPES
    if special == DIRECTORY:
        return header.DIRECTORY
    if special == SYMLINK:
        return header.SYMLINK
    if special & _DEVICE:
        return header.CHARACTER if stat.mode & _CHARACTER else header.BLOCK_DEVICE
    if special == _FIFO:
        return header.FIFO
    if special:
        return None
    return header.HARD_LINK if stat.link else header.REGULAR


async def read_files(session: Session, name: str, paths: Iterable[str]) -> dict[str, str]:
    """The text of those of a few small files that are there, by path."""
    found: dict[str, str] = {}
    wanted = Wanted(name=name, follow=tuple(paths))
    async with session.call(DIFF_COPY, wanted.metadata()) as call:
        listing = await _listing(call, name)
        sending = _Sending(call, name, listing, Transfer())
        for number, stat in enumerate(listing):
            if not _has_content(stat):
                continue
            if stat.size > _TEXT_MAX:
                raise InvalidArgument(f"{stat.path} is too large for what it is: {stat.size} bytes")
            pieces = [piece async for piece in sending.content(number)]
            found[stat.path] = b"".join(pieces).decode(errors="replace")
        await _finish(call, name)
    return found
