"""Mounts: the API of file descriptors (Linux 5.2), beside mount(2) where that one says it best.

A file system is configured key by key on a descriptor, made, and lives as a *detached* mount until
it is attached to a path. Where the kernel refuses, its own words are part of the error.

Source: fsopen(2), fsconfig(2), fsmount(2), move_mount(2), open_tree(2), mount_setattr(2), mount(2).
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from knarr.kernel.libc import checked, syscall

# System calls above 424 have one number on every architecture.
_OPEN_TREE: Final = 428
_MOVE_MOUNT: Final = 429
_FSOPEN: Final = 430
_FSCONFIG: Final = 431
_FSMOUNT: Final = 432
_MOUNT_SETATTR: Final = 442

_FSOPEN_CLOEXEC: Final = 1
_FSMOUNT_CLOEXEC: Final = 1
_SET_FLAG, _SET_STRING, _SET_FD, _CMD_CREATE = 0, 1, 5, 6
_MOVE_MOUNT_F_EMPTY_PATH: Final = 0x04
_OPEN_TREE_CLONE: Final = 0x01
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000

MOUNT_ATTR_RDONLY: Final = 0x01
MOUNT_ATTR_NOSUID: Final = 0x02
MOUNT_ATTR_NODEV: Final = 0x04
MOUNT_ATTR_NOEXEC: Final = 0x08

MOUNT_ATTR_IDMAP: Final = 0x00100000

MNT_DETACH: Final = 0x02
UMOUNT_NOFOLLOW: Final = 0x08

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_UNBINDABLE: Final = 1 << 17
MS_PRIVATE: Final = 1 << 18
MS_SLAVE: Final = 1 << 19
MS_SHARED: Final = 1 << 20

PROPAGATION: Final = {
    "private": MS_PRIVATE, "slave": MS_SLAVE, "shared": MS_SHARED, "unbindable": MS_UNBINDABLE,
    "rprivate": MS_PRIVATE | MS_REC, "rslave": MS_SLAVE | MS_REC,
    "rshared": MS_SHARED | MS_REC, "runbindable": MS_UNBINDABLE | MS_REC,
}  # fmt: skip

_ATTR: Final = struct.Struct("=QQQQ")  # attr_set, attr_clr, propagation, userns_fd

_mount = checked(
    "mount",
    ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p,
)  # fmt: skip
_umount2 = checked("umount2", ctypes.c_char_p, ctypes.c_int)


class Filesystem:
    """A file system that is being configured; a context manager on its descriptor."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._fd = syscall(_FSOPEN, "fsopen", os.fsencode(kind), _FSOPEN_CLOEXEC, about=kind)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def flag(self, name: str) -> None:
        self._configure(_SET_FLAG, name, None, 0)

    def text(self, name: str, value: str | bytes) -> None:
        """At most 255 bytes; a longer path goes by descriptor."""
        self._configure(_SET_STRING, name, os.fsencode(value), 0)

    def descriptor(self, name: str, fd: int) -> None:
        self._configure(_SET_FD, name, None, fd)

    def mount(self, attributes: int = 0) -> int:
        """Make it: a descriptor of the detached mount, which can be attached or just walked."""
        self._configure(_CMD_CREATE, "", None, 0)
        try:
            return syscall(_FSMOUNT, "fsmount", self._fd, _FSMOUNT_CLOEXEC, attributes)
        except OSError as error:
            raise self._explained(error, "") from error

    def _configure(self, command: int, name: str, value: bytes | None, aux: int) -> None:
        key = name.encode() or None
        try:
            syscall(_FSCONFIG, "fsconfig", self._fd, command, key, value, aux)
        except OSError as error:
            raise self._explained(error, name) from error

    def _explained(self, error: OSError, name: str) -> OSError:
        what = f"{self.kind} {name}".strip()
        said = "; ".join(self._messages())
        return OSError(error.errno, f"{error.strerror} ({said})" if said else error.strerror, what)

    def _messages(self) -> Iterator[str]:
        """What the kernel has to say: one message a read, ``e overlay: …`` for an error."""
        while True:
            try:
                message = os.read(self._fd, 4096)
            except OSError:
                return
            if not message:
                return
            yield message.decode(errors="replace").strip().removeprefix("e ")


def attach(mount: int, path: str | bytes) -> None:
    """Attach a detached mount to the directory (or file) ``path``."""
    syscall(
        _MOVE_MOUNT, "move_mount", mount, b"", _AT_FDCWD, os.fsencode(path),
        _MOVE_MOUNT_F_EMPTY_PATH, about=os.fsdecode(path),
    )  # fmt: skip


def open_tree(path: str | bytes, *, clone: bool = True, recursive: bool = False) -> int:
    """A descriptor of the mount at ``path``; with ``clone`` of a detached bind of what is there."""
    flags = os.O_CLOEXEC
    flags |= _OPEN_TREE_CLONE if clone else 0
    flags |= _AT_RECURSIVE if recursive else 0
    return syscall(
        _OPEN_TREE, "open_tree", _AT_FDCWD, os.fsencode(path), flags, about=os.fsdecode(path)
    )


def set_attributes(
    mount: int, *, add: int = 0, drop: int = 0, propagation: int = 0, recursive: bool = False
) -> None:
    """Change MOUNT_ATTR_* and the propagation (MS_*) of a mount, by its descriptor."""
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    attributes = _ATTR.pack(add, drop, propagation, 0)
    syscall(_MOUNT_SETATTR, "mount_setattr", mount, b"", flags, attributes, _ATTR.size)


def id_map(mount: int, namespace: int) -> None:
    """Show the owners of a detached mount as the user namespace behind ``namespace`` maps them.

    Raises OSError, EINVAL where the file system cannot (overlayfs, for one).
    """
    attributes = _ATTR.pack(MOUNT_ATTR_IDMAP, 0, 0, namespace)
    syscall(_MOUNT_SETATTR, "mount_setattr", mount, b"", _AT_EMPTY_PATH, attributes, _ATTR.size)


def mount(source: str, target: str | bytes, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2). All options together fit one page of 4096 bytes."""
    _mount(
        os.fsencode(source), os.fsencode(target), os.fsencode(kind), flags, os.fsencode(options),
        about=os.fsdecode(target),
    )  # fmt: skip


def bind(source: str | bytes, target: str | bytes, *, recursive: bool = False) -> None:
    """The same directory or file at a second place."""
    detached = open_tree(source, recursive=recursive)
    try:
        attach(detached, target)
    finally:
        os.close(detached)


def set_propagation(path: str | bytes, propagation: str) -> None:
    """``private``, ``rslave``…: whether mounts made beneath ``path`` are seen elsewhere."""
    mount("", path, "", PROPAGATION[propagation])


def unmount(path: str | bytes, *, lazy: bool = False) -> None:
    """umount2(2). Lazy: out of sight at once, gone when the last user lets go."""
    flags = UMOUNT_NOFOLLOW | (MNT_DETACH if lazy else 0)
    _umount2(os.fsencode(path), flags, about=os.fsdecode(path))


@contextmanager
def detached(mount_fd: int) -> Iterator[int]:
    """A detached mount for the length of a block; it vanishes with its descriptor."""
    try:
        yield mount_fd
    finally:
        os.close(mount_fd)


def mounts_beneath(folder: str) -> list[str]:
    """Mount points of this namespace at or under ``folder``, in the order they were made."""
    with open("/proc/self/mountinfo", "rb") as table:
        points = [_unescaped(line.split(b" ", 5)[4]) for line in table]
    inside = folder.rstrip("/") + "/"
    return [point for point in points if point == folder or point.startswith(inside)]


def is_mount_point(path: str) -> bool:
    """Whether something is mounted exactly on ``path``, bind mounts included."""
    return path in mounts_beneath(path)


def _unescaped(point: bytes) -> str:
    """mountinfo writes space, tab, newline and backslash as octal escapes."""
    if b"\\" not in point:
        return os.fsdecode(point)
    head, *rest = point.split(b"\\")
    tail = b"".join(bytes([int(each[:3], 8)]) + each[3:] for each in rest)
    return os.fsdecode(head + tail)
