"""Namespaces: leave one, enter one, keep one alive by a descriptor."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from knarr.kernel.libc import checked
from knarr.kernel.owners import Owners, map_text

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000

_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1
_NOT_MOUNTED: Final = (errno.ENOENT, errno.EINVAL)
_LEFT: Final = b"left"
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
def inside_network(namespace: int) -> Iterator[None]:
    """The calling thread is in the network namespace behind a descriptor for a while.

    Only for a program of one thread: others would stay where they are.
    """
    home = os.open(_OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(namespace, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def make_network() -> tuple[int, socket.socket]:
    """A descriptor of a new network namespace, its loopback up, and a netlink socket inside it.

    Only for a program of one thread. Whatever fails, nothing is left, and the caller is where it
    was.
    """
    home = os.open(_OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        try:
            return _furnished(os.open(_OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC))
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def _furnished(namespace: int) -> tuple[int, socket.socket]:
    """The caller is inside."""
    try:
        raise_loopback()
        return namespace, open_netlink()
    except OSError:
        os.close(namespace)
        raise


def make_user(owners: Owners) -> int:
    """A descriptor of a new user namespace in which nobody is. Only for a program of one thread."""
    with _elsewhere(lambda: unshare(CLONE_NEWUSER)) as child:
        for kind, spans in (("uid", owners.uids), ("gid", owners.gids)):
            with open(f"/proc/{child}/{kind}_map", "w", encoding="ascii") as file:
                file.write(map_text(spans))
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def make_network_of(user: int) -> tuple[int, socket.socket]:
    """As ``make_network``, but the user namespace behind ``user`` owns it: its root rules there."""

    def leave() -> None:
        setns(user, CLONE_NEWUSER)
        unshare(CLONE_NEWNET)

    with _elsewhere(leave) as child:
        namespace = os.open(f"/proc/{child}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with inside_network(namespace):
        return _furnished(namespace)


@contextmanager
def _elsewhere(leave: Callable[[], None]) -> Iterator[int]:
    """The PID of a child that has left for other namespaces, and stays until the block ends.

    Raises OSError with what stopped it.
    """
    told, tell = os.pipe2(os.O_CLOEXEC)
    wait, let_go = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _leave(leave, tell, wait, let_go)
    os.close(tell)
    os.close(wait)
    try:
        answer = os.read(told, 16)
        if answer != _LEFT:
            number = int(answer or b"0")
            raise OSError(number, f"leaving for a user namespace: {os.strerror(number)}")
        yield child
    finally:
        os.close(told)
        os.close(let_go)
        os.waitpid(child, 0)


def _leave(leave: Callable[[], None], tell: int, wait: int, let_go: int) -> NoReturn:
    try:
        os.close(let_go)
        try:
            leave()
        except OSError as error:
            os.write(tell, b"%d" % (error.errno or 0))
        else:
            os.write(tell, _LEFT)
            os.read(wait, 1)
    finally:
        os._exit(0)


def remove_network(path: str) -> None:
    """Take away the name of a namespace: a link, or a bind mount as knarr 0.1 made them."""
    try:
        _umount2(path.encode(), _MNT_DETACH | _UMOUNT_NOFOLLOW, about=path)
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
