"""An archive placed in a tree that others may be writing to: a running container's, a volume.

Every parent is opened inside the root, and the last part of a name is only ever created or removed,
never followed: a process in the container that exchanges directories for links gains nothing.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from knarr.content.writing import write_all
from knarr.errors import InvalidArgument, KnarrError, Unavailable
from knarr.kernel.openat2 import RESOLVE_NO_XDEV, openat2
from knarr.kernel.owners import Owners
from knarr.snapshot import names
from knarr.snapshot.tar import Member, TarStream, header

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_PATH | os.O_DIRECTORY
_IMPLIED_MODE: Final = 0o755
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NODES: Final = {
    header.CHARACTER: stat.S_IFCHR, header.BLOCK_DEVICE: stat.S_IFBLK, header.FIFO: stat.S_IFIFO,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to extract. owner: instead of those that the archive says. keep_kinds: refuse to put a
    directory in the place of something else, or the other way round. owners: whose numbers both
    are; None where they are the host's own.
    """

    owner: tuple[int, int] | None = None
    keep_kinds: bool = False
    owners: Owners | None = None

    def owner_of(self, member: Member) -> tuple[int, int]:
        """As the host numbers him. Raises InvalidArgument for one that the owners do not have."""
        uid, gid = self.owner or (member.uid, member.gid)
        if self.owners is None:
            return uid, gid
        try:
            return self.owners.outside(uid, gid)
        except ValueError as error:
            raise InvalidArgument(f"{names.shown(member.name)}: {error}") from error


def extract(chunks: Callable[[], bytes], root: int, folder: str, manner: Manner) -> None:
    """Place all members beneath ``folder``, a path in the open directory ``root``.

    chunks: the next chunk of a plain tar, empty at its end.
    Raises InvalidArgument for a broken or hostile archive, Unavailable when the disk is full.
    """
    stream = TarStream(chunks)
    extraction = _Extraction(root=root, folder=folder, manner=manner, stream=stream)
    for member in stream:
        try:
            extraction.place(member)
        except OSError as error:
            raise _meaning(error, member.name) from error
    extraction.finish()
    stream.drain()


@dataclass(slots=True)
class _Extraction:
    root: int
    folder: str
    manner: Manner
    stream: TarStream
    times: dict[bytes, int] = field(default_factory=dict)

    def place(self, member: Member) -> None:
        name = _plain(member.name)
        if not name:
            if member.kind == header.DIRECTORY:
                self.times[b""] = member.mtime_ns
            return
        parent, _, base = name.rpartition(b"/")
        folder = self._folder(parent)
        try:
            self._make_way(folder, base, member)
            self._create(folder, base, name, member)
        finally:
            os.close(folder)

    def finish(self) -> None:
        """The times of directories, which every file in them has changed."""
        for name, mtime_ns in self.times.items():
            try:
                folder = openat2(self.root, self._inside(name), os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                continue  # replaced by a later member
            try:
                os.utime(folder, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(folder)

    def _inside(self, name: bytes) -> bytes:
        return os.fsencode(self.folder) + b"/" + name

    def _folder(self, name: bytes) -> int:
        """The directory of that name, open; made with those above it where they are missing."""
        try:
            return openat2(self.root, self._inside(name), _FOLDER)
        except FileNotFoundError:
            parent, _, base = name.rpartition(b"/")
            above = self._folder(parent)
            try:
                os.mkdir(base, _IMPLIED_MODE, dir_fd=above)
                if self.manner.owners is not None:
                    os.chown(base, *self.manner.owners.root, dir_fd=above, follow_symlinks=False)
            finally:
                os.close(above)
            return openat2(self.root, self._inside(name), _FOLDER)

    def _make_way(self, folder: int, base: bytes, member: Member) -> None:
        try:
            facts = os.lstat(base, dir_fd=folder)
        except FileNotFoundError:
            return
        was_folder = stat.S_ISDIR(facts.st_mode)
        is_folder = member.kind == header.DIRECTORY
        if self.manner.keep_kinds and was_folder is not is_folder:
            kinds = ("non-directory", "directory")
            raise InvalidArgument(
                f"cannot overwrite {kinds[was_folder]} {names.shown(base)} with"
                f" {kinds[is_folder]} {names.shown(self.folder.encode())}"
            )
        if was_folder and is_folder:
            return
        if _is_mounted(folder, base):  # from outside the kernel would let us, and unmount it
            raise InvalidArgument(
                f"{names.shown(member.name)}: device or resource busy: something is mounted there,"
                " write to its source instead"
            )
        if was_folder:
            shutil.rmtree(base, dir_fd=folder)
        else:
            os.unlink(base, dir_fd=folder)

    def _create(self, folder: int, base: bytes, name: bytes, member: Member) -> None:
        match member.kind:
            case header.REGULAR:
                self._file(folder, base, member)
            case header.DIRECTORY:
                self._directory(folder, base, name, member)
            case header.SYMLINK:
                os.symlink(member.link, base, dir_fd=folder)
                self._own_by_name(folder, base, member)
            case header.HARD_LINK:
                self._hard_link(folder, base, member)
            case header.CHARACTER | header.BLOCK_DEVICE | header.FIFO:
                mode = _NODES[member.kind] | member.mode
                os.mknod(base, mode, os.makedev(member.major, member.minor), dir_fd=folder)
                self._own_by_name(folder, base, member)
            case _:
                raise InvalidArgument(
                    f"unhandled tar header type {member.kind!r} of {names.shown(name)}"
                )

    def _file(self, folder: int, base: bytes, member: Member) -> None:
        file = os.open(base, _CREATE, 0o600, dir_fd=folder)
        try:
            if member.segments is None:
                for piece in self.stream.content(member):
                    write_all(file, piece)
            else:
                self._sparse(file, member)
            self._own(file, member)
            os.utime(file, ns=(member.mtime_ns, member.mtime_ns))
        finally:
            os.close(file)

    def _sparse(self, file: int, member: Member) -> None:
        os.ftruncate(file, member.size)
        for offset, length in member.segments or ():
            os.lseek(file, offset, os.SEEK_SET)
            for piece in self.stream.pieces(length):
                write_all(file, piece)

    def _directory(self, folder: int, base: bytes, name: bytes, member: Member) -> None:
        with suppress(FileExistsError):
            os.mkdir(base, 0o700, dir_fd=folder)
        made = os.open(
            base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder
        )
        try:
            self._own(made, member)
        finally:
            os.close(made)
        self.times[name] = member.mtime_ns

    def _hard_link(self, folder: int, base: bytes, member: Member) -> None:
        parent, _, other = _plain(member.link).rpartition(b"/")
        source = openat2(self.root, self._inside(parent), _FOLDER)
        try:
            os.link(other, base, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)

    def _own(self, file: int, member: Member) -> None:
        """Owner, then mode, then attributes: chown takes setuid and capabilities away."""
        os.fchown(file, *self.manner.owner_of(member))
        os.fchmod(file, member.mode)
        for key, value in member.xattrs.items():
            if names.kept_xattr(key):
                _set_xattr(file, key, value)

    def _own_by_name(self, folder: int, base: bytes, member: Member) -> None:
        """Of a link or a node; chmod(2) follows links, so it goes by a descriptor of the node."""
        os.chown(base, *self.manner.owner_of(member), dir_fd=folder, follow_symlinks=False)
        if member.kind != header.SYMLINK:
            there = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.chmod(f"/proc/self/fd/{there}", member.mode)
            finally:
                os.close(there)
        times = (member.mtime_ns, member.mtime_ns)
        os.utime(base, ns=times, dir_fd=folder, follow_symlinks=False)


def _set_xattr(file: int, key: bytes, value: bytes) -> None:
    try:
        os.setxattr(file, key, value)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM):
            raise


def _plain(name: bytes) -> bytes:
    """A member's name beneath the folder. Raises InvalidArgument where it would leave it."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            raise InvalidArgument(f"{names.shown(name)} is outside of the directory to extract to")
        if part and part != b".":
            parts.append(part)
    return b"/".join(parts)


def _is_mounted(folder: int, base: bytes) -> bool:
    try:
        found = openat2(folder, base, os.O_PATH | os.O_NOFOLLOW, resolve=RESOLVE_NO_XDEV)
    except OSError as error:
        return error.errno == errno.EXDEV
    os.close(found)
    return False


def _meaning(error: OSError, name: bytes) -> KnarrError:
    if error.errno in _FULL:
        return Unavailable(f"no space left on device, extracting {names.shown(name)}")
    return KnarrError(f"extracting {names.shown(name)}: {error.strerror}")
