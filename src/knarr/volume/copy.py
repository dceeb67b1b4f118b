"""Whole trees copied as they are: owners, modes, times, extended attributes, hard links, holes.

Everything is opened beneath directories that are open already and no link is ever followed, so
that nobody who can write to either tree leads the copy outside of it.
"""

import errno
import fcntl
import os
import stat
from dataclasses import dataclass
from typing import Final

from knarr.kernel.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, open_directory
from knarr.kernel.owners import Owners

_FICLONE: Final = 0x40049409
_CHUNK_BYTES: Final = 1 << 30
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WITHOUT: Final = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTTY}
)


def copy_tree(source: int, target: int, owners: Owners | None = None) -> None:
    """Copy all that is in the open directory ``source`` into ``target``, and its own attributes.

    A file shares its blocks with the original where the file system can (reflink).
    owners: those whose users the source belongs to; the copy belongs to the same numbers on the
    host. Raises OSError; FileExistsError where ``target`` has something by the same name.
    """
    _Copy(root=target, links={}, owners=owners).directory(source, target, "")


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy under way. ``links``: where each file with several names was copied to first."""

    root: int
    links: dict[tuple[int, int], tuple[str, str]]
    owners: Owners | None

    def owner(self, facts: os.stat_result) -> tuple[int, int]:
        if self.owners is None:
            return facts.st_uid, facts.st_gid
        return self.owners.inside(facts.st_uid, facts.st_gid)

    def directory(self, source: int, target: int, place: str) -> None:
        for entry in sorted(os.listdir(source)):
            self._entry(source, target, entry, place)
        self._attributes(source, target)

    def _entry(self, source: int, target: int, name: str, place: str) -> None:
        facts = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            self._folder(source, target, name, f"{place}/{name}".lstrip("/"))
        elif facts.st_nlink > 1 and self._linked(target, name, facts):
            return
        elif stat.S_ISREG(facts.st_mode):
            self._file(source, target, name)
        elif stat.S_ISLNK(facts.st_mode):
            self._symlink(source, target, name, facts)
        elif not stat.S_ISSOCK(facts.st_mode):  # nobody listens on a copied socket
            os.mknod(name, facts.st_mode, facts.st_rdev, dir_fd=target)
            self._node_attributes(target, name, facts)
        if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode):
            self.links.setdefault((facts.st_dev, facts.st_ino), (place, name))

    def _folder(self, source: int, target: int, name: str, place: str) -> None:
        os.mkdir(name, 0o700, dir_fd=target)
        inner = os.open(name, _FOLDER, dir_fd=source)
        try:
            outer = os.open(name, _FOLDER, dir_fd=target)
            try:
                self.directory(inner, outer, place)
            finally:
                os.close(outer)
        finally:
            os.close(inner)

    def _linked(self, target: int, name: str, facts: os.stat_result) -> bool:
        """Whether it was copied before under another name, which this one now joins."""
        if (first := self.links.get((facts.st_dev, facts.st_ino))) is None:
            return False
        place, other = first
        folder = open_directory(self.root, place, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
        try:
            os.link(other, name, src_dir_fd=folder, dst_dir_fd=target, follow_symlinks=False)
        finally:
            os.close(folder)
        return True

    def _file(self, source: int, target: int, name: str) -> None:
        inner = os.open(name, _READ, dir_fd=source)
        try:
            outer = os.open(name, _WRITE, 0o600, dir_fd=target)
            try:
                _content(inner, outer)
                self._attributes(inner, outer)
            finally:
                os.close(outer)
        finally:
            os.close(inner)

    def _symlink(self, source: int, target: int, name: str, facts: os.stat_result) -> None:
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        _extended(f"/proc/self/fd/{source}/{name}", f"/proc/self/fd/{target}/{name}")
        os.chown(name, *self.owner(facts), dir_fd=target, follow_symlinks=False)
        _times(target, name, facts)

    def _node_attributes(self, target: int, name: str, facts: os.stat_result) -> None:
        """Of a device or pipe, by a descriptor: chmod(2) by name would follow a link put there."""
        node = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target)
        try:
            os.chown(f"/proc/self/fd/{node}", *self.owner(facts))
            os.chmod(f"/proc/self/fd/{node}", stat.S_IMODE(facts.st_mode))
        finally:
            os.close(node)
        _times(target, name, facts)

    def _attributes(self, source: int, target: int) -> None:
        """Of an open file or directory. Owner first: changing it takes set-user-ID bits away."""
        facts = os.fstat(source)
        os.fchown(target, *self.owner(facts))
        os.fchmod(target, stat.S_IMODE(facts.st_mode))
        _extended(source, target)
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _content(source: int, target: int) -> None:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno not in _WITHOUT:
            raise
    else:
        return
    size = os.fstat(source).st_size
    position = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here
                break
            raise
        position = os.lseek(source, start, os.SEEK_HOLE)
        _range(source, target, start, position)
    os.ftruncate(target, size)


def _range(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        count = min(end - start, _CHUNK_BYTES)
        try:
            copied = os.copy_file_range(source, target, count, start, start)
        except OSError as error:
            if error.errno not in _WITHOUT:
                raise
            copied = os.pwrite(target, os.pread(source, min(count, 1 << 20), start), start)
        if not copied:
            return  # it became shorter while it was read
        start += copied


def _times(target: int, name: str, facts: os.stat_result) -> None:
    times = (facts.st_atime_ns, facts.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def _extended(source: int | str, target: int | str) -> None:
    """All extended attributes that the target can hold; labels of SELinux are the host's own.

    By descriptor, or by a path whose last part may be a symbolic link.
    """
    follow = isinstance(source, int)
    for name in os.listxattr(source, follow_symlinks=follow):
        if name == "security.selinux":
            continue
        value = os.getxattr(source, name, follow_symlinks=follow)
        try:
            os.setxattr(target, name, value, follow_symlinks=follow)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise


def size_bytes(folder: int) -> int:
    """The bytes of all files in the open directory, each counted once whatever its names."""
    seen: set[tuple[int, int]] = set()
    return _size(folder, seen)


def _size(folder: int, seen: set[tuple[int, int]]) -> int:
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            facts = entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                inner = os.open(entry.name, _FOLDER, dir_fd=folder)
                try:
                    total += _size(inner, seen)
                finally:
                    os.close(inner)
            elif facts.st_nlink == 1 or (facts.st_dev, facts.st_ino) not in seen:
                seen.add((facts.st_dev, facts.st_ino))
                total += facts.st_size
    return total
