"""A layer's tar as a directory that overlayfs takes for a lower.

Written against hostile archives: every parent is opened with openat2 inside the layer's own root,
the last part of a name is only ever created (never opened), and what stands in the way is removed
first. Whiteouts become 0:0 devices, opaque markers an extended attribute.

Fast, because an ordinary file in the present directory is four system calls: open, write, utime,
close. Nothing is synced here.

Source: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
"""

import errno
import os
import shutil
import stat
from collections.abc import Mapping
from typing import Final

from knarr.content.writing import write_all
from knarr.errors import InvalidArgument, KnarrError, Unavailable
from knarr.kernel.openat2 import open_directory
from knarr.snapshot import names
from knarr.snapshot.contents import Contents
from knarr.snapshot.tar import LIMITS, Limits, header, members
from knarr.snapshot.tar.header import Member, device

OPAQUE_XATTR: Final = "trusted.overlay.opaque"
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_IMPLIED_MODE: Final = 0o755
_OPEN_DIRECTORIES: Final = 64
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_LAYERS_OWN_FAULT: Final = frozenset({
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EXDEV,
    errno.ENAMETOOLONG, errno.EINVAL, errno.EPERM, errno.EMLINK, errno.EFBIG, errno.ENOTEMPTY,
})  # fmt: skip


def unpack(
    data: memoryview, root: int, limits: Limits = LIMITS, *, umask: int | None = None
) -> Contents:
    """Unpack the archive ``data`` into the empty directory open as ``root``.

    umask: this process's, where the caller knows it; else the kernel is asked.
    Raises InvalidArgument for an archive that is broken or hostile, Unavailable when the disk is
    full; the caller deletes what was unpacked until then.
    """
    unpacker = Unpacker(root, data, _umask() if umask is None else umask)
    content_bytes = entries = 0
    try:
        for member in members(data, limits):
            unpacker.place(member)
            content_bytes += member.size
            entries += 1
        unpacker.finish()
    finally:
        unpacker.close()
    return Contents(content_bytes=content_bytes, entries=entries)


class Unpacker:
    """Places one member after the other; ``finish`` sets the times of directories."""

    def __init__(self, root: int, data: memoryview, umask: int) -> None:
        self._root = root
        self._data = data
        self._open: dict[bytes, int] = {}  # directories by their plain names
        self._stale: list[int] = []
        self._plain: dict[bytes, bytes] = {}  # plain names by what stood in the archive
        self._times: dict[bytes, tuple[int, int]] = {}  # of directories: (time, inode)
        self._masked = umask | 0o7000  # bits that creating does not set
        self._inherits = False  # whether some directory hands its group down to what is made in it

    def close(self) -> None:
        self._forget_directories()
        self._close_stale()

    def place(self, member: Member) -> None:
        if self._stale:
            self._close_stale()
        try:
            self._place(member)
        except OSError as error:
            raise _meaning(error, member.name) from error

    def finish(self) -> None:
        for name, (mtime_ns, inode) in self._times.items():
            parent, _, base = name.rpartition(b"/")
            if not name:
                os.utime(self._root, ns=(mtime_ns, mtime_ns))
                continue
            try:
                folder = self._directory(parent)
                if os.lstat(base, dir_fd=folder).st_ino == inode:
                    os.utime(base, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                continue  # replaced by a later member
            except OSError as error:
                raise _meaning(error, name) from error

    def _place(self, member: Member) -> None:
        name = member.name.rstrip(b"/")
        head, _, base = name.rpartition(b"/")
        if base in (b"", b"."):
            self._place_odd(member, name)
            return
        names.checked_base(name, base)
        if names.is_aufs(name):
            return
        parent = self._plain.get(head)
        if parent is None:
            parent = self._plain[head] = names.folder(head, name)
        folder = self._open.get(parent)
        if folder is None:
            folder = self._directory(parent, make=True)
        if base.startswith(names.WHITEOUT):
            self._whiteout(folder, base)
            return
        match member.kind:
            case header.REGULAR:
                self._file(folder, base, member)
            case header.DIRECTORY:
                self._make_directory(folder, base, member, parent)
            case header.SYMLINK:
                self._symlink(folder, base, member)
            case header.HARD_LINK:
                self._hard_link(folder, base, member, parent)
            case header.CHARACTER | header.BLOCK_DEVICE | header.FIFO:
                self._special(folder, base, member)
            case _:
                raise names.refused(name, f"is of the unknown type {member.kind!r}")

    def _place_odd(self, member: Member, name: bytes) -> None:
        """The root itself, or a name that ends in a dot: ``./``, ``a/.``."""
        plain = names.folder(name)
        if plain:
            self._place(member._replace(name=plain))
        elif member.kind == header.DIRECTORY:
            self._own(self._root, member)
            self._inherits |= bool(member.mode & stat.S_ISGID)
            self._times[b""] = (_mtime_ns(member), 0)
        else:
            raise names.refused(name, "would replace the layer's root")

    def _file(self, folder: int, base: bytes, member: Member) -> None:
        try:
            fd = os.open(base, _CREATE, member.mode, dir_fd=folder)
        except FileExistsError:
            self._clear(folder, base)
            fd = os.open(base, _CREATE, member.mode, dir_fd=folder)
        try:
            if member.segments is not None:
                self._write_sparse(fd, member)
            elif member.size:
                write_all(fd, self._data[member.start : member.start + member.size])
            given = member.uid or member.gid or member.mode & self._masked or member.xattrs
            if given or self._inherits:
                self._own(fd, member)
            mtime_ns = _mtime_ns(member)
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(fd)

    def _write_sparse(self, fd: int, member: Member) -> None:
        os.truncate(fd, member.size)
        start = member.start
        for offset, length in member.segments or ():
            os.lseek(fd, offset, os.SEEK_SET)
            write_all(fd, self._data[start : start + length])
            start += length

    def _own(self, fd: int, member: Member) -> None:
        """Owner, mode, attributes, in this order: chown clears setuid and drops capabilities."""
        if member.uid or member.gid or self._inherits:
            os.fchown(fd, member.uid, member.gid)
        os.fchmod(fd, member.mode)
        _set_xattrs(fd, member.xattrs)

    def _make_directory(self, folder: int, base: bytes, member: Member, parent: bytes) -> None:
        """A directory that is there stays, with new owner, mode and times."""
        opaque = False
        try:
            os.mkdir(base, member.mode, dir_fd=folder)
        except FileExistsError:
            there = os.lstat(base, dir_fd=folder)
            if not stat.S_ISDIR(there.st_mode):
                opaque = _is_whiteout(there)
                self._clear(folder, base)
                os.mkdir(base, member.mode, dir_fd=folder)
        plain = b"/".join((parent, base)) if parent else base
        fd = self._directory(plain)
        self._own(fd, member)
        self._inherits |= bool(member.mode & stat.S_ISGID)
        if opaque:
            os.setxattr(fd, OPAQUE_XATTR, b"y")
        self._times[plain] = (_mtime_ns(member), os.fstat(fd).st_ino)

    def _symlink(self, folder: int, base: bytes, member: Member) -> None:
        try:
            os.symlink(member.link, base, dir_fd=folder)
        except FileExistsError:
            self._clear(folder, base)
            os.symlink(member.link, base, dir_fd=folder)
        if member.uid or member.gid or self._inherits:
            os.chown(base, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
        mtime_ns = _mtime_ns(member)
        os.utime(base, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)

    def _hard_link(self, folder: int, base: bytes, member: Member, parent: bytes) -> None:
        """Another name for a member of this layer. Its header counts for the file, as in Docker."""
        target = names.folder(member.link, member.name)
        target_parent, _, target_base = target.rpartition(b"/")
        if not target or target == (b"/".join((parent, base)) if parent else base):
            raise names.refused(member.name, "is a hard link to itself or to the root")
        source = self._directory(target_parent)
        there = os.lstat(target_base, dir_fd=source)
        if _is_whiteout(there):
            raise names.refused(member.name, "is a hard link to nothing in this layer")
        link = {"src_dir_fd": source, "dst_dir_fd": folder}
        try:
            os.link(target_base, base, follow_symlinks=False, **link)
        except FileExistsError:
            self._clear(folder, base)
            os.link(target_base, base, follow_symlinks=False, **link)
        self._settle(folder, base, member, there)

    def _special(self, folder: int, base: bytes, member: Member) -> None:
        number = 0 if member.kind == header.FIFO else device(member)
        if member.kind == header.CHARACTER and number == 0:
            raise names.refused(member.name, "is a device 0:0, overlayfs' own form of a whiteout")
        mode = member.mode | _FILE_TYPE[member.kind]
        try:
            os.mknod(base, mode, number, dir_fd=folder)
        except FileExistsError:
            self._clear(folder, base)
            os.mknod(base, mode, number, dir_fd=folder)
        self._settle(folder, base, member, os.lstat(base, dir_fd=folder))

    def _settle(self, folder: int, base: bytes, member: Member, there: os.stat_result) -> None:
        """Owner, mode, attributes and times by name, of what must not be opened; no more than
        differs, because chown drops a capability that a header of a link does not repeat.
        """
        if (there.st_uid, there.st_gid) != (member.uid, member.gid):
            os.chown(base, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
            there = os.lstat(base, dir_fd=folder)
        if not stat.S_ISLNK(there.st_mode):
            if stat.S_IMODE(there.st_mode) != member.mode:
                os.chmod(base, member.mode, dir_fd=folder)
            _set_xattrs(b"/proc/self/fd/%d/%s" % (folder, base), member.xattrs)
        mtime_ns = _mtime_ns(member)
        os.utime(base, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)

    def _whiteout(self, folder: int, base: bytes) -> None:
        """Hides what lower layers have; what this layer has of that name is not touched."""
        if base == names.OPAQUE:
            os.setxattr(folder, OPAQUE_XATTR, b"y")
            return
        hidden = base[len(names.WHITEOUT) :]
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=folder)
        except FileExistsError:
            there = os.lstat(hidden, dir_fd=folder)
            if stat.S_ISDIR(there.st_mode):
                fd = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    os.setxattr(fd, OPAQUE_XATTR, b"y")
                finally:
                    os.close(fd)

    def _clear(self, folder: int, base: bytes) -> None:
        """Remove what stands in the way of a new member, whatever it is.

        Open directories are forgotten: one of them may be what goes, or be reached through it.
        """
        there = os.lstat(base, dir_fd=folder)
        if not stat.S_ISREG(there.st_mode):
            self._forget_directories()
        if stat.S_ISDIR(there.st_mode):
            shutil.rmtree(base, dir_fd=folder)
        else:
            os.unlink(base, dir_fd=folder)

    def _directory(self, plain: bytes, *, make: bool = False) -> int:
        """A descriptor of a directory of the layer, links on the way resolved inside its root."""
        if (fd := self._open.get(plain)) is not None:
            return fd
        if len(self._open) >= _OPEN_DIRECTORIES:
            self._forget_directories()
        try:
            fd = open_directory(self._root, plain)
        except FileNotFoundError:
            if not make:
                raise
            self._make_parents(plain)
            fd = open_directory(self._root, plain)
        self._open[plain] = fd
        return fd

    def _make_parents(self, plain: bytes) -> None:
        """Directories that the archive only implies."""
        parent, _, base = plain.rpartition(b"/")
        folder = self._directory(parent, make=True)
        try:
            os.mkdir(base, _IMPLIED_MODE, dir_fd=folder)
        except FileExistsError:
            raise names.refused(plain, "is a link to nothing in this layer") from None
        if self._inherits:
            os.chown(base, 0, 0, dir_fd=folder, follow_symlinks=False)
            os.chmod(base, _IMPLIED_MODE, dir_fd=folder)

    def _forget_directories(self) -> None:
        """Look each one up anew. The present member may still hold them: closed at the next."""
        self._stale.extend(self._open.values())
        self._open.clear()

    def _close_stale(self) -> None:
        for fd in self._stale:
            os.close(fd)
        self._stale.clear()


_FILE_TYPE: Final = {
    header.CHARACTER: stat.S_IFCHR, header.BLOCK_DEVICE: stat.S_IFBLK, header.FIFO: stat.S_IFIFO,
}  # fmt: skip


def _mtime_ns(member: Member) -> int:
    """Docker's bounds: what the file system may not be able to say becomes the epoch."""
    return member.mtime_ns if 0 <= member.mtime_ns < 1 << 63 else 0


def _is_whiteout(there: os.stat_result) -> bool:
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def _set_xattrs(where: int | bytes, xattrs: Mapping[bytes, bytes]) -> None:
    """Those that are kept. A file system without user attributes goes without, as in Docker."""
    for key, value in xattrs.items():
        if not names.kept_xattr(key):
            continue
        try:
            os.setxattr(where, key, value)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _umask() -> int:
    """Of this process; asking os.umask would set it, for all threads."""
    with open("/proc/self/status", "rb") as status:
        line = next(each for each in status if each.startswith(b"Umask:"))
    return int(line.split()[1], 8)


def _meaning(error: OSError, name: bytes) -> KnarrError:
    if error.errno in _FULL:
        return Unavailable(f"no space left on device, unpacking {names.shown(name)}")
    if error.errno in _LAYERS_OWN_FAULT:
        return InvalidArgument(f"invalid layer: {names.shown(name)}: {error.strerror}")
    return KnarrError(f"unpacking {names.shown(name)}: {error.strerror}")
