"""Host ports: chosen, and held by a bound socket so that nobody else takes them meanwhile.

Containers of one group may have the same port: ``sharing.py`` says who of them gets a connection.

A packet to a published port is redirected before any socket is looked up; the socket here never
sees one. It is there so that another program which wants the port is told that it is in use, and
that we are told when another program has it. Of a long run of ports only the probe is made: each
held port costs a file descriptor (``docs/decisions/published-ports.md``).
"""

import errno
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Protocol

from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import ContainerId
from knarr.network.holder import holder_of
from knarr.network.model import Address, PortRequest, PublishedPort

EPHEMERAL: Final = range(32768, 61000)
HELD_AT_MOST: Final = 512  # ports of one container
_LOCALHOST: Final = (IPv4Address("0.0.0.0"), IPv4Address("127.0.0.1"))
_LOOPBACK6: Final = IPv6Address("::1")
_MEET_LOOPBACK: Final = (IPv6Address("::"), _LOOPBACK6)
_NO_SUCH_PROTOCOL: Final = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EAFNOSUPPORT)
_OUT_OF_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE)


class PortTaken(KnarrError):
    """The port is in use, by a container of ours or by another program.

    hopeless: another port would fare no better. holder: the container of ours, if it is one.
    """

    def __init__(
        self, message: str, *, hopeless: bool = False, holder: ContainerId | None = None
    ) -> None:
        super().__init__(message)
        self.hopeless = hopeless
        self.holder = holder


Place = tuple[str, Address, int]
"""A port of the host: its protocol, the address (unspecified: all of them), the number."""


class Doors(Protocol):
    """Told of the sockets that TCP connections to ``[::1]`` come to: see relays.py."""

    def opened(self, number: int, sock: socket.socket) -> None:
        """Bound, and not listening yet."""

    def closing(self, number: int) -> None:
        """It is about to be closed."""


class PortTable:
    """Who has which host port, among this engine's containers."""

    def __init__(self, doors: Doors | None = None) -> None:
        self._doors = doors
        self._own_doors: dict[int, socket.socket] = {}
        self._ports: dict[ContainerId, list[PublishedPort]] = {}
        self._users: dict[tuple[str, int], list[tuple[ContainerId, PublishedPort]]] = {}
        self._sockets: dict[Place, socket.socket] = {}
        self._next: dict[str, int] = {}

    def ports_of(self, container: ContainerId) -> tuple[PublishedPort, ...]:
        return tuple(self._ports.get(container, ()))

    def behind_loopback(self, number: int) -> tuple[str, int] | None:
        """Where a TCP connection to ``[::1]`` is to go; None when nobody publishes there.

        To 127.0.0.1 and the rules behind it, unless the port leads elsewhere by IPv6.
        """
        ports = [port for _, port in self._users.get(("tcp", number), ())]
        for port in ports:
            if port.host_ip in _MEET_LOOPBACK and not port.group:
                return str(port.target), port.container_port
        if any(port.host_ip in _LOCALHOST for port in ports):
            return "127.0.0.1", number
        return None

    def all(self) -> Iterable[PublishedPort]:
        return (port for ports in self._ports.values() for port in ports)

    def claim(
        self,
        container: ContainerId,
        requests: Sequence[PortRequest],
        targets: Sequence[Address],
        defaults: Sequence[Address],
        group: str = "",
    ) -> tuple[PublishedPort, ...]:
        """Choose and hold a port for each request; all or none.

        targets: the container's addresses, one of each family at most.
        defaults: the host's addresses to bind to where a request names none.
        group: with whom a port that is named exactly may be shared; empty for nobody.
        Raises PortTaken, or InvalidArgument for an address that is none.
        """
        before = len(self.ports_of(container))
        try:
            for request in requests:
                hosts = _host_addresses(request, targets, defaults)
                shared_by = group if request.is_exact else ""
                port = self._choose(container, request, hosts, shared_by)
                for host in hosts:
                    target = next(each for each in targets if each.version == host.version)
                    published = PublishedPort(
                        protocol=request.protocol,
                        host_ip=host,
                        host_port=port,
                        target=target,
                        container_port=request.container_port,
                        group=shared_by,
                    )
                    self._put(container, published)
        except BaseException:
            self._forget(container, keep=before)
            raise
        return self.ports_of(container)[before:]

    def restore(self, container: ContainerId, ports: Sequence[PublishedPort]) -> list[str]:
        """Hold again what a container had before this daemon started.

        Returns a sentence for each port that another program took meanwhile; it still leads to
        the container.
        """
        complaints: list[str] = []
        for port in ports:
            try:
                self._hold(container, port.place)
            except PortTaken as error:
                complaints.append(str(error))
            self._put(container, port)
        for port in ports:
            self._open_door(port.place)
        return complaints

    def replace(self, container: ContainerId, ports: Sequence[PublishedPort]) -> None:
        """The same ports or fewer of them, leading elsewhere; the sockets of those stay."""
        kept = {each.place for each in ports}
        before = self._ports.pop(container, [])
        for each in before:
            self._without_user(container, each)
        for each in ports:
            self._put(container, each)
        for each in before:
            if each.place not in kept:
                self._close_unused(each.place)

    def release(self, container: ContainerId) -> None:
        """Content when it holds none."""
        self._forget(container, keep=0)

    def close(self) -> None:
        """Let go of all sockets; the ports still lead to their containers."""
        for place in list(self._sockets):
            self._close(place)

    def _put(self, container: ContainerId, port: PublishedPort) -> None:
        self._ports.setdefault(container, []).append(port)
        self._users.setdefault((port.protocol, port.host_port), []).append((container, port))

    def _forget(self, container: ContainerId, *, keep: int) -> None:
        ports = self._ports.get(container, [])
        for port in ports[keep:]:
            self._without_user(container, port)
            self._close_unused(port.place)
        del ports[keep:]
        if not ports:
            self._ports.pop(container, None)

    def _without_user(self, container: ContainerId, port: PublishedPort) -> None:
        users = self._users[port.protocol, port.host_port]
        users.remove((container, port))
        if not users:
            del self._users[port.protocol, port.host_port]

    def _close_unused(self, place: Place) -> None:
        """Another container that shares the port goes on holding it."""
        protocol, _, number = place
        users = self._users.get((protocol, number), ())
        if all(port.place != place for _, port in users):
            self._close(place)

    def _close(self, place: Place) -> None:
        held = self._sockets.pop(place, None)
        if held is None:
            return
        if _meets_loopback(place) and self._doors:
            self._doors.closing(place[2])
        elif place[0] == "tcp" and place[1] in _LOCALHOST:
            self._close_door(place[2])
        held.close()

    def _open_door(self, place: Place) -> None:
        """Where IPv4 alone is published: ``[::1]`` besides, if it is to be had.

        Programs that resolve ``localhost`` may try it first, and some try nothing else.
        """
        protocol, host, number = place
        there = any((protocol, each, number) in self._sockets for each in _MEET_LOOPBACK)
        held = protocol == "tcp" and host in _LOCALHOST and place in self._sockets
        if self._doors is None or not held or there or number in self._own_doors:
            return
        with suppress(OSError):
            door = self._own_doors[number] = _bind("tcp", _LOOPBACK6, number, reuse=False)
            self._doors.opened(number, door)

    def _close_door(self, number: int) -> None:
        if self._doors and (door := self._own_doors.pop(number, None)):
            self._doors.closing(number)
            door.close()

    def _choose(
        self, container: ContainerId, request: PortRequest, hosts: Sequence[Address], group: str
    ) -> int:
        """The first port of the wish that is free on all of ``hosts``."""
        refusal: PortTaken | None = None
        for port in self._candidates(request):
            try:
                self._take(container, request.protocol, hosts, port, group)
            except PortTaken as error:
                refusal = refusal or error
                if error.hopeless:
                    break
            else:
                if not request.first:
                    self._next[request.protocol] = port + 1
                return port
        if refusal is None or request.first:
            raise refusal or PortTaken("no port to choose from")
        raise PortTaken("all ports are allocated") from refusal

    def _candidates(self, request: PortRequest) -> Iterable[int]:
        if request.first:
            return range(request.first, request.last + 1)
        start = self._next.get(request.protocol, EPHEMERAL.start)
        start = start if start in EPHEMERAL else EPHEMERAL.start
        return (*range(start, EPHEMERAL.stop), *range(EPHEMERAL.start, start))

    def _take(
        self,
        container: ContainerId,
        protocol: str,
        hosts: Sequence[Address],
        number: int,
        group: str,
    ) -> None:
        for host in hosts:
            for holder, port in self._users.get((protocol, number), ()):
                shares = bool(group) and port.group == group and port.host_ip == host
                if _meet(host, port.host_ip) and (holder == container or not shares):
                    where = f"{_bracketed(host)}:{number}"
                    refusal = f"Bind for {where} failed: port is already allocated"
                    raise PortTaken(refusal, holder=holder)
        with ExitStack() as undo:
            for host in hosts:
                place = (protocol, host, number)
                if self._hold(container, place):
                    undo.callback(self._close_unused, place)
            undo.pop_all()
        for host in hosts:
            self._open_door((protocol, host, number))

    def _hold(self, container: ContainerId, place: Place) -> bool:
        """Whether there is a new socket, which nobody else of ours had."""
        if place in self._sockets:
            return False
        if _meets_loopback(place):
            self._close_door(place[2])
        sock = _bound(*place)
        if sock is None:
            return False
        if len(self._ports.get(container, ())) < HELD_AT_MOST:
            self._sockets[place] = sock
            if _meets_loopback(place) and self._doors:
                self._doors.opened(place[2], sock)
            return True
        sock.close()
        return False


def _meets_loopback(place: Place) -> bool:
    """Whether a socket there gets TCP connections to ``[::1]``."""
    return place[0] == "tcp" and place[1] in _MEET_LOOPBACK


def _meet(one: Address, other: Address) -> bool:
    """Whether a port at both would be the same port."""
    same_family = one.version == other.version
    return same_family and (one == other or one.is_unspecified or other.is_unspecified)


def _host_addresses(
    request: PortRequest, targets: Sequence[Address], defaults: Sequence[Address]
) -> list[Address]:
    families = {target.version for target in targets}
    if not request.host_ip:
        return [each for each in defaults if each.version in families]
    try:
        host = ip_address(request.host_ip.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {request.host_ip}") from error
    if host.version not in families:
        raise InvalidArgument(
            f"cannot publish {request.key} at {host}:"
            f" the container has no IPv{host.version} address"
        )
    return [host]


def _bound(protocol: str, host: Address, port: int) -> socket.socket | None:
    """A socket that occupies the port; None where this kernel cannot make one.

    Raises PortTaken, saying who has the port if that can be seen.
    """
    try:
        return _bind(protocol, host, port, reuse=False)
    except OSError as error:
        if error.errno in _NO_SUCH_PROTOCOL or error.errno in _OUT_OF_DESCRIPTORS:
            return None
        if error.errno != errno.EADDRINUSE:
            raise _refusal(protocol, host, port, error) from error
    if protocol != "tcp":
        raise _in_use(protocol, host, port)
    try:  # left-over connections of a program that has gone do not count: listen beside them
        return _bind(protocol, host, port, reuse=True)
    except OSError as error:
        raise _in_use(protocol, host, port) from error


def _bind(protocol: str, host: Address, port: int, *, reuse: bool) -> socket.socket:
    family = socket.AF_INET if host.version == 4 else socket.AF_INET6
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    number = socket.IPPROTO_SCTP if protocol == "sctp" else 0
    sock = socket.socket(family, kind, number)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(host), port))
        if reuse:
            sock.listen(1)
    except OSError:
        sock.close()
        raise
    return sock


def _in_use(protocol: str, host: Address, port: int) -> PortTaken:
    error = OSError(errno.EADDRINUSE, "address already in use")
    refusal = _refusal(protocol, host, port, error)
    if holder := holder_of(protocol, port):
        return PortTaken(f"{refusal} ({holder})")
    return refusal


def _refusal(protocol: str, host: Address, port: int, error: OSError) -> PortTaken:
    """In the words that Go's net package has for it, which Docker passes on."""
    words = os.strerror(error.errno or 0).lower()
    place = f"{_bracketed(host)}:{port}"
    return PortTaken(
        f"listen {protocol}{host.version} {place}: bind: {words}",
        hopeless=error.errno != errno.EADDRINUSE,
    )


def _bracketed(host: IPv4Address | IPv6Address) -> str:
    return str(host) if host.version == 4 else f"[{host}]"
