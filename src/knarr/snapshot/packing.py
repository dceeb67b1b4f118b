"""What a writable layer holds, as a layer's archive: what commit and a build step make of it.

An upper directory in overlayfs' form becomes names with whiteouts. Deterministic: in order, owners
as numbers, whole seconds, and, where the caller says so, no time that tells when it ran.
Directories that were only passed through are left out.

Source: OCI image-spec, layer.md, "Whiteouts"; Documentation/filesystems/overlayfs.rst.
"""

import os
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from knarr.kernel.openat2 import RESOLVE_NO_SYMLINKS, open_directory, openat2
from knarr.snapshot import names
from knarr.snapshot.changes import is_opaque, is_whiteout
from knarr.snapshot.tar import END, Member, formatted, header, padding

_PIECE_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 256 << 10
_SECOND_NS: Final = 1_000_000_000
_KINDS: Final = {
    stat.S_IFREG: header.REGULAR, stat.S_IFDIR: header.DIRECTORY, stat.S_IFLNK: header.SYMLINK,
    stat.S_IFCHR: header.CHARACTER, stat.S_IFBLK: header.BLOCK_DEVICE, stat.S_IFIFO: header.FIFO,
}  # fmt: skip
_PYC: Final = struct.Struct("<4sLLL")  # magic, flags, the source's time, the source's size

Sink = Callable[[bytes | memoryview], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How times become reproducible: those from ``since_ns`` on are said to be ``made_ns``.

    latest_ns: no time at all is later; None for no limit. All in nanoseconds since the epoch.
    """

    since_ns: int
    made_ns: int
    latest_ns: int | None = None

    def of(self, mtime_ns: int) -> int:
        if mtime_ns >= self.since_ns:
            mtime_ns = self.made_ns
        return mtime_ns if self.latest_ns is None else min(mtime_ns, self.latest_ns)


AS_THEY_ARE: Final = Times(since_ns=1 << 63, made_ns=0)


class _Item(NamedTuple):
    """A member, and where its content is in the upper directory (empty: it has none)."""

    member: Member
    path: bytes = b""


def pack(
    upper: int,
    image: int | None,
    sink: Sink,
    *,
    times: Times = AS_THEY_ARE,
    stubs: frozenset[bytes] = frozenset(),
) -> int:
    """Write the layer's archive to ``sink``; returns how many members it has.

    upper: descriptor of the upper directory. image: of the merged lowers.
    stubs: paths that were made to mount something on; they are left out while they are empty.
    """
    items = list(_Packer(image, times, stubs).beneath(upper, image, b""))
    output = _Output(sink)
    for item in items:
        output.add(formatted(item.member))
        if item.path:
            output.content(upper, item, times)
    output.add(END)
    output.flush()
    return len(items)


class _Packer:
    def __init__(self, image: int | None, times: Times, stubs: frozenset[bytes]) -> None:
        self._image = image
        self._times = times
        self._stubs = stubs
        self._first_name: dict[tuple[int, int], bytes] = {}

    def beneath(self, folder: int, below: int | None, path: bytes) -> Iterator[_Item]:
        """What a directory holds, by name. ``below``: the same directory of the image."""
        for base in sorted(os.fsencode(name) for name in os.listdir(folder)):
            there = os.stat(base, dir_fd=folder, follow_symlinks=False)
            before = _status(below, base)
            name = path + base
            if is_whiteout(there):
                if before is not None:
                    yield _Item(self._mark(path + names.WHITEOUT + base))
            elif stat.S_ISDIR(there.st_mode):
                yield from self._directory(folder, below, base, name, there, before)
            elif not _unchanged(there, before) and not self._is_stub(name, there, before):
                yield from self._file(folder, base, name, there)

    def _directory(
        self,
        folder: int,
        below: int | None,
        base: bytes,
        name: bytes,
        there: os.stat_result,
        before: os.stat_result | None,
    ) -> Iterator[_Item]:
        was_directory = before is not None and stat.S_ISDIR(before.st_mode)
        fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        under = open_directory(below, base) if was_directory and below is not None else None
        try:
            opaque = is_opaque(fd) and under is not None
            inside = list(self.beneath(fd, None if opaque else under, name + b"/"))
            member = self._member(fd, b".", name + b"/", there)
            if (
                not inside
                and not opaque
                and self._is_only_passed_through(name, there, before, member, under)
            ):
                return
        finally:
            os.close(fd)
            if under is not None:
                os.close(under)
        yield _Item(member)
        if opaque:
            yield _Item(self._mark(name + b"/" + names.OPAQUE))
        yield from inside

    def _is_only_passed_through(
        self,
        name: bytes,
        there: os.stat_result,
        before: os.stat_result | None,
        member: Member,
        under: int | None,
    ) -> bool:
        if before is None:
            return name in self._stubs
        same = (there.st_mode, there.st_uid, there.st_gid) == (
            before.st_mode, before.st_uid, before.st_gid,
        )  # fmt: skip
        return same and under is not None and member.xattrs == _xattrs(under, b".", there)

    def _is_stub(self, name: bytes, there: os.stat_result, before: os.stat_result | None) -> bool:
        return before is None and name in self._stubs and there.st_size == 0

    def _file(
        self, folder: int, base: bytes, name: bytes, there: os.stat_result
    ) -> Iterator[_Item]:
        if stat.S_IFMT(there.st_mode) not in _KINDS:
            return  # a socket: no archive can hold it
        member = self._member(folder, base, name, there)
        if member.kind == header.REGULAR and there.st_nlink > 1:
            known = self._first_name.setdefault((there.st_dev, there.st_ino), name)
            if known != name:
                link = member._replace(kind=header.HARD_LINK, link=known, size=0, xattrs={})
                yield _Item(link)
                return
        yield _Item(member, name if member.size else b"")

    def _member(self, folder: int, base: bytes, name: bytes, there: os.stat_result) -> Member:
        kind = _KINDS[stat.S_IFMT(there.st_mode)]
        is_device = kind in {header.CHARACTER, header.BLOCK_DEVICE}
        return Member(
            name=name,
            kind=kind,
            mode=stat.S_IMODE(there.st_mode),
            uid=there.st_uid,
            gid=there.st_gid,
            size=there.st_size if kind == header.REGULAR else 0,
            mtime_ns=self._times.of(there.st_mtime_ns),
            link=os.readlink(base, dir_fd=folder) if kind == header.SYMLINK else b"",
            major=os.major(there.st_rdev) if is_device else 0,
            minor=os.minor(there.st_rdev) if is_device else 0,
            xattrs=_xattrs(folder, base, there),
        )

    def _mark(self, name: bytes) -> Member:
        """A whiteout, or the marker of an opaque directory."""
        mtime_ns = self._times.of(self._times.since_ns)
        return Member(name, header.REGULAR, 0o600, 0, 0, 0, mtime_ns)


def _status(folder: int | None, base: bytes) -> os.stat_result | None:
    if folder is None:
        return None
    try:
        return os.stat(base, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _unchanged(there: os.stat_result, before: os.stat_result | None) -> bool:
    """Copied up, and then nothing was done to it."""
    return before is not None and all(
        getattr(there, field) == getattr(before, field)
        for field in ("st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_rdev")
    )


def _xattrs(folder: int, base: bytes, there: os.stat_result) -> dict[bytes, bytes]:
    if not (stat.S_ISREG(there.st_mode) or stat.S_ISDIR(there.st_mode)):
        return {}
    path = b"/proc/self/fd/%d/%s" % (folder, base)
    try:
        keys = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    return {
        key.encode(): os.getxattr(path, key, follow_symlinks=False)
        for key in keys
        if names.kept_xattr(key.encode())
    }


class _Output:
    """Small pieces put together; each is handed on once and does not change afterwards."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._pending = bytearray()

    def add(self, piece: bytes) -> None:
        self._pending += piece
        if len(self._pending) >= _PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            self._sink(memoryview(self._pending))
            self._pending = bytearray()

    def content(self, upper: int, item: _Item, times: Times) -> None:
        size = item.member.size
        fd = openat2(upper, item.path, os.O_RDONLY | os.O_NOFOLLOW, resolve=RESOLVE_NO_SYMLINKS)
        try:
            if size < _SMALL_BYTES:
                self.add(_compiled(os.read(fd, size).ljust(size, b"\0"), item.path, times))
            else:
                self.flush()
                self._stream(fd, size)
        finally:
            os.close(fd)
        self.add(bytes(padding(size)))

    def _stream(self, fd: int, left: int) -> None:
        while left:
            piece = os.read(fd, min(left, _PIECE_BYTES)) or bytes(min(left, _PIECE_BYTES))
            left -= len(piece)
            self._sink(piece)


def _compiled(content: bytes, path: bytes, times: Times) -> bytes:
    """Python keeps the time of a module's source in what it compiled it to, and compiles anew at
    every start when they differ: so where the one changes, the other does too (PEP 552).
    """
    if not path.endswith(b".pyc") or len(content) < _PYC.size:
        return content
    magic, flags, seconds, size = _PYC.unpack_from(content)
    told = times.of(seconds * _SECOND_NS) // _SECOND_NS
    if flags or not magic.endswith(b"\r\n") or told == seconds:
        return content
    return _PYC.pack(magic, flags, told, size) + content[_PYC.size :]
