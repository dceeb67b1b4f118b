"""Network namespaces for tests: one to play the host, others to play containers and the outside.

A socket belongs to the namespace in which it was made, whoever uses it later: so tests make their
sockets here and then talk plainly.
"""

import ctypes
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Any, Final, TypeVar

from knarr.kernel import netlink as rtnetlink
from knarr.kernel.libc import checked
from knarr.kernel.netlink import Netlink
from knarr.kernel.nftables import NfTables

_CLONE_NEWNET: Final = 0x40000000
_unshare = checked("unshare", ctypes.c_int)
_setns = checked("setns", ctypes.c_int, ctypes.c_int)
T = TypeVar("T")


@dataclass
class Namespace:
    """A network namespace that lives until ``close``; it satisfies ``network.host.Sandbox``."""

    fd: int
    netlink: socket.socket
    _open: list[socket.socket] = field(default_factory=list)

    @classmethod
    def new(cls) -> "Namespace":
        def make() -> Namespace:
            _unshare(_CLONE_NEWNET)
            return cls.current()

        return _in_thread(make)

    @classmethod
    def current(cls) -> "Namespace":
        fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        return cls(fd, socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE))

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self.fd}"

    def run(self, work: Callable[[], T]) -> T:
        """Call ``work`` in a thread inside the namespace."""

        def inside() -> T:
            _setns(self.fd, _CLONE_NEWNET)
            return work()

        return _in_thread(inside)

    def open_socket(
        self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM
    ) -> socket.socket:
        sock = self.run(lambda: socket.socket(family, kind))
        sock.settimeout(3)
        self._open.append(sock)
        return sock

    def listen(self, address: str, port: int) -> socket.socket:
        sock = self.open_socket(_family(address))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen()
        return sock

    def udp(self, address: str, port: int) -> socket.socket:
        sock = self.open_socket(_family(address), socket.SOCK_DGRAM)
        sock.bind((address, port))
        return sock

    def connect(self, address: str, port: int, *, seconds: float = 3) -> socket.socket:
        """Raises OSError when nobody answers in time."""
        sock = self.open_socket(_family(address))
        sock.settimeout(seconds)
        sock.connect((address, port))
        return sock

    def reaches(self, address: str, port: int) -> bool:
        """Whether a TCP connection is made. Nobody there, or dropped: a short time."""
        try:
            self.connect(address, port, seconds=0.4).close()
        except OSError:
            return False
        return True

    def act(self, *requests: rtnetlink.Request) -> None:
        Netlink(self.netlink).act(requests)

    def index(self, name: str) -> int:
        return rtnetlink.link_of(Netlink(self.netlink).get(rtnetlink.get_link(name))).index

    def links(self) -> set[str]:
        return {
            rtnetlink.link_of(body).name
            for body in Netlink(self.netlink).dump(rtnetlink.get_links())
        }

    def mac(self, name: str) -> str:
        return rtnetlink.link_of(Netlink(self.netlink).get(rtnetlink.get_link(name))).mac

    def add_address(self, name: str, address: str) -> None:
        self.act(rtnetlink.add_address(self.index(name), ip_interface(address)))

    def gateway(self, version: int = 4) -> str:
        """Where the default route leads; empty when there is none."""
        for body in Netlink(self.netlink).dump(rtnetlink.get_routes(version)):
            route = rtnetlink.route_of(body)
            if route and not route.range.prefixlen:
                return str(route.gateway or "")
        return ""

    def nftables(self, work: Callable[[NfTables], T]) -> T:
        """Call ``work`` with the namespace's nf_tables."""
        with closing(self.run(NfTables.open)) as tables:
            return work(tables)

    def close(self) -> None:
        for sock in self._open:
            sock.close()
        self.netlink.close()
        os.close(self.fd)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _in_thread(work: Callable[[], T]) -> T:
    """A thread of its own, so that the caller's namespace stays what it is."""
    results: list[Any] = []
    failures: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    result: T = results[0]
    return result


@contextmanager
def playing_host() -> Iterator[Namespace]:
    """This thread, and all that it starts, in a new namespace: the machine stays untouched."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    _unshare(_CLONE_NEWNET)
    host = Namespace.current()
    try:
        host.act(rtnetlink.set_up(1))
        yield host
    finally:
        _setns(before, _CLONE_NEWNET)
        os.close(before)
        host.close()


def wire(
    one: Namespace, other: Namespace, addresses: tuple[str, str], names: tuple[str, str]
) -> None:
    """A cable between two namespaces; ``addresses`` with prefix length."""
    one.act(
        rtnetlink.add_veth(
            names[0], bridge=0, mtu=1500, peer=names[1], peer_mac="02:00:00:00:00:02",
            namespace=other.fd,
        )
    )  # fmt: skip
    for namespace, name, address in zip((one, other), names, addresses, strict=True):
        index = namespace.index(name)
        namespace.act(rtnetlink.set_up(index), rtnetlink.add_address(index, ip_interface(address)))


def default_route(namespace: Namespace, name: str, gateway: str) -> None:
    index = namespace.index(name)
    namespace.act(rtnetlink.set_default_route(ip_address(gateway), link=index))
