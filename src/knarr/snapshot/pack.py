"""A directory as a tar: an upper directory as a layer, a mounted root for `export`.

Deterministic: by name, whole seconds, no names of owners; whiteouts and opaque directories in the
form of layers. Small files are gathered, so that 14,000 of them are 180 writes.

Not told: sockets, and the root directory itself, as in Docker.
"""

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from knarr.kernel.owners import Owners
from knarr.snapshot import names
from knarr.snapshot.changes import is_opaque, is_whiteout
from knarr.snapshot.tar import END, Member, formatted, header, padding

_BATCH_BYTES: Final = 1 << 20
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME
_NO_XATTRS: Final[Mapping[bytes, bytes]] = {}

Sink = Callable[[bytes], None]


def pack(root: int, sink: Sink, prefix: bytes = b"", *, owners: Owners | None = None) -> None:
    """Everything beneath the directory open as ``root``, to ``sink`` in pieces of about 1 MiB.

    ``prefix`` (without a slash at the end) goes before each name. A file that changes meanwhile is
    cut or filled with zeros to the size it had. Raises OSError.
    owners: those whose users the files belong to, which are told as they see themselves.
    """
    packer = _Packer(sink, owners)
    packer.folder(root, prefix)
    packer.end()


def pack_member(
    folder: int, base: bytes, name: bytes, sink: Sink, owners: Owners | None = None
) -> None:
    """One file or directory with all in it, called ``name`` in the archive: `docker cp`."""
    packer = _Packer(sink, owners)
    packer.member(folder, base, name)
    packer.end()


def pack_tree(folder: int, name: bytes, sink: Sink, owners: Owners | None = None) -> None:
    """The open directory itself, called ``name`` (``etc``, ``.``, ``/``), with all in it."""
    packer = _Packer(sink, owners)
    packer.tree(folder, name)
    packer.end()


class _Packer:
    def __init__(self, sink: Sink, owners: Owners | None) -> None:
        self._sink = sink
        self._owners = owners
        self._batch = bytearray()
        self._links: dict[tuple[int, int], bytes] = {}

    def end(self) -> None:
        self._batch += END
        self._flush()

    def folder(self, fd: int, prefix: bytes) -> None:
        lead = prefix + b"/" if prefix else b""
        for base in sorted(map(os.fsencode, os.listdir(fd))):
            self.member(fd, base, lead + base)

    def tree(self, fd: int, name: bytes) -> None:
        lead = name if name.endswith(b"/") else name + b"/"
        self._add(_member(header.DIRECTORY, lead, os.fstat(fd), _xattrs(fd)))
        self.folder(fd, name)

    def member(self, folder: int, base: bytes, name: bytes) -> None:
        """One entry. One that goes while it is looked at, in a container that runs, was not."""
        with suppress(FileNotFoundError):
            there = os.stat(base, dir_fd=folder, follow_symlinks=False)
            self._one(folder, base, name, there)

    def _one(self, folder: int, base: bytes, name: bytes, there: os.stat_result) -> None:
        match stat.S_IFMT(there.st_mode):
            case stat.S_IFREG:
                self._file(folder, base, name, there)
            case stat.S_IFDIR:
                self._directory(folder, base, name, there)
            case stat.S_IFLNK:
                target = os.fsencode(os.readlink(base, dir_fd=folder))
                self._special(header.SYMLINK, name, there, link=target)
            case stat.S_IFCHR if is_whiteout(there):
                head, slash, last = name.rpartition(b"/")
                self._marker(head + slash + names.WHITEOUT + last)
            case stat.S_IFCHR:
                self._special(header.CHARACTER, name, there)
            case stat.S_IFBLK:
                self._special(header.BLOCK_DEVICE, name, there)
            case stat.S_IFIFO:
                self._special(header.FIFO, name, there)
            case _:
                pass  # a socket: whoever listens there is not packed with it

    def _file(self, folder: int, base: bytes, name: bytes, there: os.stat_result) -> None:
        if there.st_nlink > 1:
            first = self._links.setdefault((there.st_dev, there.st_ino), name)
            if first != name:
                self._special(header.HARD_LINK, name, there, link=first)
                return
        fd = _open_file(base, folder)
        try:
            self._add(_member(header.REGULAR, name, there, _xattrs(fd), size=there.st_size))
            self._content(fd, there.st_size)
        finally:
            os.close(fd)

    def _content(self, fd: int, size: int) -> None:
        left = size
        while left:
            piece = os.read(fd, min(left, _BATCH_BYTES))
            if not piece:
                piece = bytes(min(left, _BATCH_BYTES))
            left -= len(piece)
            self._batch += piece
            if len(self._batch) >= _BATCH_BYTES:
                self._flush()
        self._batch += bytes(padding(size))

    def _directory(self, folder: int, base: bytes, name: bytes, there: os.stat_result) -> None:
        fd = os.open(base, _FOLDER, dir_fd=folder)
        try:
            self._add(_member(header.DIRECTORY, name + b"/", there, _xattrs(fd)))
            if is_opaque(fd):
                self._marker(name + b"/" + names.OPAQUE)
            self.folder(fd, name)
        finally:
            os.close(fd)

    def _special(
        self, kind: bytes, name: bytes, there: os.stat_result, *, link: bytes = b""
    ) -> None:
        self._add(_member(kind, name, there, _NO_XATTRS, link=link))

    def _marker(self, name: bytes) -> None:
        """A whiteout or an opaque marker: an empty file, always of the same bytes."""
        self._put(Member(name, header.REGULAR, 0o600, 0, 0, 0, 0))

    def _add(self, member: Member) -> None:
        if self._owners is not None:
            uid, gid = self._owners.inside(member.uid, member.gid)
            member = member._replace(uid=uid, gid=gid)
        self._put(member)

    def _put(self, member: Member) -> None:
        self._batch += formatted(member)
        if len(self._batch) >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._sink(bytes(self._batch))
            self._batch.clear()


def _member(
    kind: bytes,
    name: bytes,
    there: os.stat_result,
    xattrs: Mapping[bytes, bytes],
    *,
    size: int = 0,
    link: bytes = b"",
) -> Member:
    device = there.st_rdev if kind in (header.CHARACTER, header.BLOCK_DEVICE) else 0
    return Member(
        name, kind, stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid, size,
        there.st_mtime_ns, link, os.major(device), os.minor(device), xattrs,
    )  # fmt: skip


def _xattrs(fd: int) -> Mapping[bytes, bytes]:
    try:
        keys = os.listxattr(fd)
    except OSError:
        return _NO_XATTRS
    if not keys:
        return _NO_XATTRS
    return {
        os.fsencode(key): os.getxattr(fd, key) for key in keys if names.kept_xattr(os.fsencode(key))
    }


def _open_file(base: bytes, folder: int) -> int:
    try:
        return os.open(base, _FILE, dir_fd=folder)
    except PermissionError:  # O_NOATIME is for the owner alone
        return os.open(base, _FILE & ~os.O_NOATIME, dir_fd=folder)
