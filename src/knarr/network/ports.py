"""Host ports: chosen, and held by a bound socket so that nobody else takes them meanwhile.

A packet to a published port is redirected before any socket is looked up; the socket here never
sees one. It is there so that another program which wants the port is told that it is in use, and
that we are told when another program has it. Of a long run of ports only the probe is made: each
held port costs a file descriptor (``docs/decisions/published-ports.md``).
"""

import errno
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import ContainerId
from knarr.network.holder import holder_of
from knarr.network.model import Address, PortRequest, PublishedPort

EPHEMERAL: Final = range(32768, 61000)
HELD_AT_MOST: Final = 512  # ports of one container
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


@dataclass(slots=True)
class _Claims:
    """What one container holds."""

    ports: list[PublishedPort] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        for each in self.sockets:
            each.close()


class PortTable:
    """Who has which host port, among this engine's containers."""

    def __init__(self) -> None:
        self._claims: dict[ContainerId, _Claims] = {}
        self._users: dict[tuple[str, int], list[tuple[Address, ContainerId]]] = {}
        self._next: dict[str, int] = {}

    def ports_of(self, container: ContainerId) -> tuple[PublishedPort, ...]:
        claims = self._claims.get(container)
        return tuple(claims.ports) if claims else ()

    def all(self) -> Iterable[PublishedPort]:
        return (port for claims in self._claims.values() for port in claims.ports)

    def claim(
        self,
        container: ContainerId,
        requests: Sequence[PortRequest],
        targets: Sequence[Address],
        defaults: Sequence[Address],
    ) -> tuple[PublishedPort, ...]:
        """Choose and hold a port for each request; all or none.

        targets: the container's addresses, one of each family at most.
        defaults: the host's addresses to bind to where a request names none.
        Raises PortTaken, or InvalidArgument for an address that is none.
        """
        before = len(self.ports_of(container))
        try:
            for request in requests:
                hosts = _host_addresses(request, targets, defaults)
                port = self._choose(container, request, hosts)
                self._record(container, request, port, hosts, targets)
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
        claims = self._claims.setdefault(container, _Claims())
        for port in ports:
            try:
                self._hold(claims, port.protocol, port.host_ip, port.host_port)
            except PortTaken as error:
                complaints.append(str(error))
            claims.ports.append(port)
            self._use(container, port)
        return complaints

    def replace(self, container: ContainerId, ports: Sequence[PublishedPort]) -> None:
        """The same ports or fewer of them, leading elsewhere; their sockets stay."""
        if not ports:
            self.release(container)
            return
        claims = self._claims[container]
        kept = {(each.protocol, each.host_ip, each.host_port) for each in ports}
        for each in claims.ports:
            if (each.protocol, each.host_ip, each.host_port) not in kept:
                self._let_go(container, each)
        claims.ports[:] = ports

    def release(self, container: ContainerId) -> None:
        """Content when it holds none."""
        self._forget(container, keep=0)
        if claims := self._claims.pop(container, None):
            claims.close()

    def close(self) -> None:
        """Let go of all sockets; the ports still lead to their containers."""
        for claims in self._claims.values():
            claims.close()

    def _forget(self, container: ContainerId, *, keep: int) -> None:
        claims = self._claims.get(container)
        if claims is None:
            return
        for port in claims.ports[keep:]:
            self._let_go(container, port)
        del claims.ports[keep:]
        if not claims.ports:
            claims.close()
            del self._claims[container]

    def _record(
        self,
        container: ContainerId,
        request: PortRequest,
        port: int,
        hosts: Sequence[Address],
        targets: Sequence[Address],
    ) -> None:
        claims = self._claims[container]
        for host in hosts:
            target = next(each for each in targets if each.version == host.version)
            published = PublishedPort(
                protocol=request.protocol,
                host_ip=host,
                host_port=port,
                target=target,
                container_port=request.container_port,
            )
            claims.ports.append(published)
            self._use(container, published)

    def _use(self, container: ContainerId, port: PublishedPort) -> None:
        users = self._users.setdefault((port.protocol, port.host_port), [])
        users.append((port.host_ip, container))

    def _let_go(self, container: ContainerId, port: PublishedPort) -> None:
        users = self._users[port.protocol, port.host_port]
        users.remove((port.host_ip, container))
        if not users:
            del self._users[port.protocol, port.host_port]

    def _choose(
        self, container: ContainerId, request: PortRequest, hosts: Sequence[Address]
    ) -> int:
        """The first port of the wish that is free on all of ``hosts``."""
        refusal: PortTaken | None = None
        for port in self._candidates(request):
            try:
                self._take(container, request.protocol, hosts, port)
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
        self, container: ContainerId, protocol: str, hosts: Sequence[Address], port: int
    ) -> None:
        for host in hosts:
            for other, holder in self._users.get((protocol, port), ()):
                if _meet(host, other):
                    place = f"{_bracketed(host)}:{port}"
                    refusal = f"Bind for {place} failed: port is already allocated"
                    raise PortTaken(refusal, holder=holder)
        claims = self._claims.setdefault(container, _Claims())
        with ExitStack() as undo:
            held = len(claims.sockets)
            undo.callback(_close_after, claims, held)
            for host in hosts:
                self._hold(claims, protocol, host, port)
            undo.pop_all()

    def _hold(self, claims: _Claims, protocol: str, host: Address, port: int) -> None:
        sock = _bound(protocol, host, port)
        if sock is None:
            return
        if len(claims.sockets) < HELD_AT_MOST:
            claims.sockets.append(sock)
        else:
            sock.close()


def _close_after(claims: _Claims, number: int) -> None:
    for each in claims.sockets[number:]:
        each.close()
    del claims.sockets[number:]


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
