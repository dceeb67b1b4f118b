"""Namespaces: leave one, enter one, keep one alive by a name in the filesystem."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from knarr.kernel.libc import checked

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWNET: Final = 0x40000000

_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_MNT_DETACH: Final = 2
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1
_NOT_MOUNTED: Final = (errno.ENOENT, errno.EINVAL)
_OWN_NETWORK: Final = "/proc/thread-self/ns/net"

_unshare = checked("unshare", ctypes.c_int)
_setns = checked("setns", ctypes.c_int, ctypes.c_int)
_mount = checked(
    "mount", ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p
)
_umount2 = checked("umount2", ctypes.c_char_p, ctypes.c_int)


def unshare(flags: int) -> None:
    """unshare(2): the caller leaves for new namespaces of the kinds in ``flags``."""
    _unshare(flags)


def setns(descriptor: int, kind: int) -> None:
    """setns(2): the caller enters the namespace of ``kind`` behind ``descriptor``."""
    _setns(descriptor, kind)


@contextmanager
def inside_network(path: str) -> Iterator[None]:
    """The calling thread is in the network namespace at ``path`` for a while.

    Only for a program of one thread: others would stay where they are.
    """
    home = os.open(_OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(there, CLONE_NEWNET)
        finally:
            os.close(there)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def make_network(path: str) -> socket.socket:
    """A new network namespace, kept at ``path``, its loopback up; a netlink socket inside it.

    The file is made, with a bind mount on it. Only for a program of one thread. Whatever fails,
    neither file nor mount is left, and the caller is where it was.
    """
    home = os.open(_OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
        try:
            unshare(CLONE_NEWNET)
            try:
                _mount(_OWN_NETWORK.encode(), path.encode(), None, _MS_BIND, None, about=path)
                raise_loopback()
                return open_netlink()
            finally:
                setns(home, CLONE_NEWNET)
        except OSError:
            remove_network(path)
            raise
    finally:
        os.close(home)


def remove_network(path: str) -> None:
    """Let go of the namespace at ``path``; the kernel ends it when nobody is left inside."""
    try:
        _umount2(path.encode(), _MNT_DETACH, about=path)
    except OSError as error:
        if error.errno not in _NOT_MOUNTED:
            raise
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def raise_loopback() -> None:
    """Bring ``lo`` of the caller's network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        request = fcntl.ioctl(link, _SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0))
        flags: int = struct.unpack_from("16xH", request)[0]
        fcntl.ioctl(link, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def open_netlink(protocol: int = socket.NETLINK_ROUTE) -> socket.socket:
    """A netlink socket of the caller's network namespace; it stays there for good."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)


def hide_mount(path: str, parent: str) -> None:
    """In a mount namespace of the caller's own: ``path`` is unmounted, nobody else notices.

    ``parent`` is the mount point that ``path`` is mounted in. It is made private first, with what
    is under it: an unmount goes to the peers of the parent mount.
    """
    unshare(CLONE_NEWNS)
    _mount(None, parent.encode(), None, _MS_PRIVATE | _MS_REC, None, about=parent)
    _umount2(path.encode(), _MNT_DETACH, about=path)
