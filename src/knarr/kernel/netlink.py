"""Netlink: messages, attributes, acknowledgements; and rtnetlink's links, addresses, routes.

A request is a value; a ``Netlink`` sends a batch of them with one ``sendmsg`` over a socket it was
given, which may have been made inside another network namespace: the socket decides where the
requests act. The kernel works a batch off before ``sendmsg`` returns.

Source: netlink(7), rtnetlink(7), linux/{netlink,rtnetlink,if_link,if_addr,neighbour}.h.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Range = IPv4Network | IPv6Network

NLM_F_REQUEST: Final = 0x1
NLM_F_ACK: Final = 0x4
NLM_F_REPLACE: Final = 0x100
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
NLM_F_APPEND: Final = 0x800
NLM_F_DUMP: Final = 0x300
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_SOL_NETLINK: Final = 270
_NETLINK_CAP_ACK: Final = 10
_NETLINK_EXT_ACK: Final = 11
_NETLINK_GET_STRICT_CHK: Final = 12
_NLM_F_CAPPED: Final = 0x100
_NLM_F_ACK_TLVS: Final = 0x200
_NLMSGERR_ATTR_MSG: Final = 1
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_RECEIVE_BYTES: Final = 1 << 17
_USUAL_BYTES: Final = 1 << 16  # what the buffers of a socket hold without asking


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + bytes(-length % 4)


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def u16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def nest(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | 0x8000, b"".join(parts))


def attributes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The (kind, payload) pairs of ``raw``; the flag bits of the kind are taken off."""
    position = 0
    while position + 4 <= len(raw):
        length, kind = struct.unpack_from("=HH", raw, position)
        if length < 4:
            return
        yield kind & 0x3FFF, raw[position + 4 : position + length]
        position += (length + 3) & ~3


@dataclass(frozen=True, slots=True)
class Request:
    """One message. ``about`` says in an error what was attempted; ``accept`` are harmless errors.

    ``flags`` are those besides NLM_F_REQUEST and NLM_F_ACK, which the sender knows best.
    """

    kind: int
    body: bytes
    about: str
    flags: int = 0
    accept: tuple[int, ...] = ()

    def accepting(self, *numbers: int) -> "Request":
        """The same, content with these errno as well."""
        return replace(self, accept=(*self.accept, *numbers))


class Netlink:
    """Batches over one netlink socket. Synchronous: the kernel answers before it returns."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._sequence = 0
        sock.setblocking(True)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
            sock.setsockopt(_SOL_NETLINK, option, 1)

    @classmethod
    def open(cls, protocol: int = socket.NETLINK_ROUTE) -> "Netlink":
        """Over a new socket, in the network namespace of the calling thread."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        return cls(socket.socket(socket.AF_NETLINK, kind, protocol))

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def act(self, requests: Sequence[Request]) -> None:
        """Do all of ``requests``, in order; a failed one does not stop those after it.

        Raises OSError of the first failure that its request does not accept.
        """
        if requests:
            self._exchange(requests, last=len(requests) - 1)

    def transact(self, begin: Request, requests: Sequence[Request], end: Request) -> None:
        """Do all of ``requests`` or none, between two messages that the protocol asks for.

        Raises OSError of the first failure; then nothing was done.
        """
        if requests:
            self._exchange([begin, *requests, end], last=len(requests), whole=True)

    def dump(self, request: Request) -> list[bytes]:
        """The bodies of all objects of a kind."""
        self._send(self._message(request, NLM_F_DUMP))
        bodies: list[bytes] = []
        while True:
            for kind, _, _, body in self._received():
                if kind == _NLMSG_DONE:
                    return bodies
                if kind == _NLMSG_ERROR:
                    raise _failure(request, body, 0)
                bodies.append(body)

    def get(self, request: Request) -> bytes:
        """The body of one object. Raises OSError (ENODEV, ENOENT) when there is none."""
        self._send(self._message(request, 0))
        kind, flags, _, body = next(self._received())
        if kind == _NLMSG_ERROR:
            raise _failure(request, body, flags)
        return body

    def _exchange(self, requests: Sequence[Request], *, last: int, whole: bool = False) -> None:
        """Send, then read what the kernel says up to its word on number ``last``.

        Failures are always told, success only where asked for: of the last alone. A batch that
        fails ``whole`` is told under the sequence of its first message.
        """
        first = self._sequence + 1
        wire = b"".join(
            self._message(each, NLM_F_ACK if index == last else 0)
            for index, each in enumerate(requests)
        )
        self._make_room(len(wire), len(requests))
        self._send(wire)
        failures: list[OSError] = []
        while True:
            for kind, flags, sequence, body in self._received():
                index = sequence - first
                if kind != _NLMSG_ERROR or not 0 <= index < len(requests):
                    continue
                code = _code(body)
                if code and code not in requests[index].accept:
                    failures.append(_failure(requests[index], body, flags))
                if index == last or (whole and index == 0 and code):
                    if failures:
                        raise failures[0]
                    return

    def _make_room(self, wire_bytes: int, messages: int) -> None:
        """Buffers for a large batch and for one refusal of each of its messages."""
        if wire_bytes > _USUAL_BYTES:
            for option, size in (
                (_SO_SNDBUFFORCE, 2 * wire_bytes),
                (_SO_RCVBUFFORCE, 1024 * messages),
            ):
                self._socket.setsockopt(socket.SOL_SOCKET, option, size)

    def _message(self, request: Request, flags: int) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        flags |= request.flags | NLM_F_REQUEST
        length = _HEADER.size + len(request.body)
        header = _HEADER.pack(length, request.kind, flags, self._sequence, 0)
        return header + request.body + bytes(-length % 4)

    def _send(self, wire: bytes) -> None:
        self._socket.sendto(wire, (0, 0))

    def _received(self) -> Iterator[tuple[int, int, int, bytes]]:
        """The (type, flags, sequence, body) of each message of one datagram."""
        raw = self._socket.recv(_RECEIVE_BYTES)
        position = 0
        while position + _HEADER.size <= len(raw):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(raw, position)
            yield kind, flags, sequence, raw[position + _HEADER.size : position + length]
            position += (length + 3) & ~3


def _code(body: bytes) -> int:
    return -int(struct.unpack_from("=i", body)[0])


def _failure(request: Request, body: bytes, flags: int) -> OSError:
    """What the kernel said, in its own words where it has some."""
    code = _code(body)
    words = os.strerror(code)
    if flags & _NLM_F_ACK_TLVS:
        echoed = _HEADER.size if flags & _NLM_F_CAPPED else struct.unpack_from("=I", body, 4)[0]
        for kind, payload in attributes(body[4 + ((echoed + 3) & ~3) :]):
            if kind == _NLMSGERR_ATTR_MSG:
                words += f" ({payload.rstrip(bytes(1)).decode(errors='replace')})"
    return OSError(code, f"{request.about}: {words}")


# Links

_RTM_NEWLINK: Final = 16
_RTM_DELLINK: Final = 17
_RTM_GETLINK: Final = 18
_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_LINK: Final = 5
_IFLA_MASTER: Final = 10
_IFLA_LINKINFO: Final = 18
_IFLA_IFALIAS: Final = 20
_IFLA_AF_SPEC: Final = 26
_IFLA_NET_NS_FD: Final = 28
_IFLA_INFO_KIND: Final = 1
_IFLA_INFO_DATA: Final = 2
_IFLA_INFO_SLAVE_KIND: Final = 4
_IFLA_INFO_SLAVE_DATA: Final = 5
_IFLA_BRPORT_MODE: Final = 4
_IFLA_BRPORT_ISOLATED: Final = 33
_IFLA_INET6_ADDR_GEN_MODE: Final = 8
_ADDR_GEN_MODE_NONE: Final = 1
_VETH_INFO_PEER: Final = 1
_IFF_UP: Final = 1
_LINK: Final = struct.Struct("=BxHiII")  # family, device type, index, flags, mask of flags
MACVLAN_MODES: Final = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES: Final = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS: Final = {"bridge": 0, "private": 1, "vepa": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface as the kernel lists it."""

    index: int
    name: str
    kind: str  # "bridge", "veth", ...; empty for hardware and loopback
    master: int  # index of the bridge it is in; 0 for none
    parent: int  # index of the link it hangs on (a veth's peer, a macvlan's parent); 0 for none
    mtu: int
    up: bool
    mac: str
    alias: str


def mac_bytes(mac: str) -> bytes:
    """The six bytes of ``02:42:ac:11:00:02``. Raises ValueError when it is no MAC address."""
    raw = bytes(int(part, 16) for part in mac.replace("-", ":").split(":"))
    if len(raw) != 6:
        raise ValueError(mac)
    return raw


def _new(body: bytes, about: str, *parts: bytes) -> Request:
    return Request(_RTM_NEWLINK, body + b"".join(parts), about, NLM_F_CREATE | NLM_F_EXCL)


def _info(kind: str, *data: bytes) -> bytes:
    inner = nest(_IFLA_INFO_DATA, *data) if data else b""
    return nest(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, kind), inner)


def add_bridge(name: str, *, mac: str, mtu: int) -> Request:
    """A bridge, up at once, without spanning tree."""
    return _new(
        _LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP),
        f"add bridge {name}",
        text(_IFLA_IFNAME, name),
        attribute(_IFLA_ADDRESS, mac_bytes(mac)),
        u32(_IFLA_MTU, mtu),
        _info("bridge"),
    )


def add_veth(
    name: str, *, bridge: int, mtu: int, peer: str, peer_mac: str, namespace: int
) -> Request:
    """A pair: ``name`` here, up, in the bridge of that index; ``peer``, down, in ``namespace``.

    namespace: a file descriptor of a network namespace.
    """
    other = (
        _LINK.pack(0, 0, 0, 0, 0)
        + text(_IFLA_IFNAME, peer)
        + u32(_IFLA_MTU, mtu)
        + attribute(_IFLA_ADDRESS, mac_bytes(peer_mac))
        + u32(_IFLA_NET_NS_FD, namespace)
    )
    return _new(
        _LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP),
        f"add veth {name}",
        text(_IFLA_IFNAME, name),
        u32(_IFLA_MTU, mtu),
        u32(_IFLA_MASTER, bridge),
        _info("veth", attribute(_VETH_INFO_PEER, other)),
    )


def add_wire(name: str, peer: str) -> list[Request]:
    """A pair with both ends here, up, leading nowhere. Unlike a dummy, every kernel has it."""
    other = _LINK.pack(0, 0, 0, 0, 0) + text(_IFLA_IFNAME, peer)
    pair = _new(
        _LINK.pack(0, 0, 0, 0, 0),
        f"add veth {name}",
        text(_IFLA_IFNAME, name),
        _info("veth", attribute(_VETH_INFO_PEER, other)),
    )
    return [pair, wake(name), wake(peer)]


def add_macvlan(
    name: str, *, parent: int, mode: str, mac: str, namespace: int | None = None
) -> Request:
    """A link with a MAC address of its own on the parent's wire, made in ``namespace``, down."""
    place = u32(_IFLA_NET_NS_FD, namespace) if namespace is not None else b""
    return _new(
        _LINK.pack(0, 0, 0, 0, 0),
        f"add macvlan {name}",
        text(_IFLA_IFNAME, name),
        u32(_IFLA_LINK, parent),
        attribute(_IFLA_ADDRESS, mac_bytes(mac)),
        place,
        _info("macvlan", u32(1, MACVLAN_MODES[mode])),
    )


def add_ipvlan(
    name: str, *, parent: int, mode: str, flag: str = "bridge", namespace: int | None = None
) -> Request:
    """A link that shares the parent's MAC address, made in ``namespace``, down."""
    place = u32(_IFLA_NET_NS_FD, namespace) if namespace is not None else b""
    return _new(
        _LINK.pack(0, 0, 0, 0, 0),
        f"add ipvlan {name}",
        text(_IFLA_IFNAME, name),
        u32(_IFLA_LINK, parent),
        place,
        _info("ipvlan", u16(1, IPVLAN_MODES[mode]), u16(2, IPVLAN_FLAGS[flag])),
    )


def add_vlan(name: str, *, parent: int, number: int, alias: str) -> Request:
    """An 802.1Q link, up. ``alias`` is a remark that the kernel keeps with it."""
    return _new(
        _LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP),
        f"add vlan {name}",
        text(_IFLA_IFNAME, name),
        u32(_IFLA_LINK, parent),
        text(_IFLA_IFALIAS, alias),
        _info("vlan", u16(1, number)),
    )


def remove_link(name: str) -> Request:
    """Content when there is no such link."""
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFLA_IFNAME, name)
    return Request(_RTM_DELLINK, body, f"remove link {name}", accept=(errno.ENODEV,))


def set_up(index: int, *, mtu: int = 0) -> Request:
    body = _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP) + (u32(_IFLA_MTU, mtu) if mtu else b"")
    return Request(_RTM_NEWLINK, body, f"set link {index} up")


def wake(name: str) -> Request:
    """Set the link up."""
    body = _LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP) + text(_IFLA_IFNAME, name)
    return Request(_RTM_NEWLINK, body, f"set link {name} up")


def silence(name: str) -> Request:
    """Set the link down: nothing passes any more. Content when there is no such link."""
    body = _LINK.pack(0, 0, 0, 0, _IFF_UP) + text(_IFLA_IFNAME, name)
    return Request(_RTM_NEWLINK, body, f"set link {name} down", accept=(errno.ENODEV,))


def rename(index: int, name: str) -> Request:
    """The link must be down."""
    body = _LINK.pack(0, 0, index, 0, 0) + text(_IFLA_IFNAME, name)
    return Request(_RTM_NEWLINK, body, f"rename link {index} to {name}")


def set_mac(index: int, mac: str) -> Request:
    body = _LINK.pack(0, 0, index, 0, 0) + attribute(_IFLA_ADDRESS, mac_bytes(mac))
    return Request(_RTM_NEWLINK, body, f"set MAC address of link {index} to {mac}")


def without_link_local(index: int) -> Request:
    """No IPv6 address by itself when the link goes up. Content where IPv6 is switched off."""
    family = nest(socket.AF_INET6, u8(_IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE))
    body = _LINK.pack(0, 0, index, 0, 0) + nest(_IFLA_AF_SPEC, family)
    accept = (errno.EAFNOSUPPORT, errno.EINVAL, errno.EOPNOTSUPP)
    return Request(_RTM_NEWLINK, body, f"switch off SLAAC of link {index}", accept=accept)


def set_port(name: str, *, hairpin: bool = False, isolated: bool = False) -> Request:
    """How a bridge treats the port ``name``.

    hairpin: frames may leave where they came in. isolated: no traffic with other isolated ports.
    """
    slave = nest(
        _IFLA_INFO_SLAVE_DATA,
        u8(_IFLA_BRPORT_MODE, hairpin),
        u8(_IFLA_BRPORT_ISOLATED, isolated),
    )
    info = nest(_IFLA_LINKINFO, text(_IFLA_INFO_SLAVE_KIND, "bridge"), slave)
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFLA_IFNAME, name) + info
    return Request(_RTM_NEWLINK, body, f"set bridge port {name}")


def get_link(name: str) -> Request:
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFLA_IFNAME, name)
    return Request(_RTM_GETLINK, body, f"look up link {name}")


def settle(name: str) -> Request:
    """Have the kernel take note now, not a little later, that the link's other end is there.

    Until it does, a link that is up drops what it is given. Linux 6.8 and later take note when
    they are asked about the link; for older ones this is a question without effect.
    """
    return get_link(name)


def get_links() -> Request:
    return Request(_RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0), "list links")


def link_of(body: bytes) -> Link:
    """What a reply about a link says."""
    _, _, index, flags, _ = _LINK.unpack_from(body)
    found = dict(attributes(body[_LINK.size :]))
    info = dict(attributes(found.get(_IFLA_LINKINFO, b"")))
    return Link(
        index=index,
        name=_string(found.get(_IFLA_IFNAME, b"")),
        kind=_string(info.get(_IFLA_INFO_KIND, b"")),
        master=_number(found.get(_IFLA_MASTER)),
        parent=_number(found.get(_IFLA_LINK)),
        mtu=_number(found.get(_IFLA_MTU)),
        up=bool(flags & _IFF_UP),
        mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
        alias=_string(found.get(_IFLA_IFALIAS, b"")),
    )


def _string(payload: bytes) -> str:
    return payload.rstrip(b"\0").decode(errors="replace")


def _number(payload: bytes | None) -> int:
    return int.from_bytes(payload, "little") if payload else 0


# Addresses

_RTM_NEWADDR: Final = 20
_RTM_DELADDR: Final = 21
_RTM_GETADDR: Final = 22
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_BROADCAST: Final = 4
_IFA_FLAGS: Final = 8
_IFA_F_NODAD: Final = 0x02
_ADDRESS: Final = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, link index


def _family(version: int) -> int:
    return int(socket.AF_INET if version == 4 else socket.AF_INET6)


def add_address(index: int, address: Interface) -> Request:
    """Usable at once: no duplicate address detection. Content when it is there already."""
    packed = address.ip.packed
    body = _ADDRESS.pack(_family(address.version), address.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    if isinstance(address, IPv4Interface):
        if address.network.prefixlen < 31:
            body += attribute(_IFA_BROADCAST, address.network.broadcast_address.packed)
    else:
        body += u32(_IFA_FLAGS, _IFA_F_NODAD)
    about = f"add address {address} to link {index}"
    return Request(_RTM_NEWADDR, body, about, NLM_F_CREATE | NLM_F_EXCL, (errno.EEXIST,))


def remove_address(index: int, address: Interface) -> Request:
    packed = address.ip.packed
    body = _ADDRESS.pack(_family(address.version), address.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, packed)
    accept = (errno.EADDRNOTAVAIL, errno.ENODEV)
    return Request(_RTM_DELADDR, body, f"remove address {address}", accept=accept)


def get_addresses() -> Request:
    return Request(_RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), "list addresses")


def address_of(body: bytes) -> tuple[int, Interface]:
    """Link index and address of a reply about an address."""
    family, prefix, _, _, index = _ADDRESS.unpack_from(body)
    found = dict(attributes(body[_ADDRESS.size :]))
    packed = found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]
    if family == socket.AF_INET:
        return index, IPv4Interface((packed, prefix))
    return index, IPv6Interface((packed, prefix))


# Routes

_RTM_NEWROUTE: Final = 24
_RTM_DELROUTE: Final = 25
_RTM_GETROUTE: Final = 26
_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5
_RTA_PRIORITY: Final = 6
_RTA_TABLE: Final = 15
_RT_TABLE_MAIN: Final = 254
_RTPROT_BOOT: Final = 3
_RT_SCOPE_UNIVERSE: Final = 0
_RT_SCOPE_LINK: Final = 253
_RTN_UNICAST: Final = 1
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_DEFAULT: Final[dict[int, Range]] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A unicast route of the main table. ``link`` is the index of the way out; 0 if several."""

    range: Range
    link: int
    gateway: Address | None = None


def _route_body(range_: Range, link: int, gateway: Address | None) -> bytes:
    scope = _RT_SCOPE_UNIVERSE if gateway or range_.version == 6 else _RT_SCOPE_LINK
    body = _ROUTE.pack(
        _family(range_.version), range_.prefixlen, 0, 0,
        _RT_TABLE_MAIN, _RTPROT_BOOT, scope, _RTN_UNICAST, 0,
    )  # fmt: skip
    if range_.prefixlen:
        body += attribute(_RTA_DST, range_.network_address.packed)
    if gateway is not None:
        body += attribute(_RTA_GATEWAY, gateway.packed)
    return body + u32(_RTA_OIF, link)


def set_route(range_: Range, *, link: int, gateway: Address | None = None) -> Request:
    """Add the route, or replace the one to the same range."""
    about = f"set route to {range_} via {gateway or 'the link itself'}"
    body = _route_body(range_, link, gateway)
    return Request(_RTM_NEWROUTE, body, about, NLM_F_CREATE | NLM_F_REPLACE)


def set_default_route(gateway: Address, *, link: int) -> Request:
    return set_route(_DEFAULT[gateway.version], link=link, gateway=gateway)


def set_default_link(version: int, *, link: int) -> Request:
    """Everything goes out on that link, with no router between (ipvlan's layer 3 modes)."""
    return set_route(_DEFAULT[version], link=link)


def remove_default_route(version: int) -> Request:
    body = _ROUTE.pack(_family(version), 0, 0, 0, _RT_TABLE_MAIN, 0, _RT_SCOPE_UNIVERSE, 0, 0)
    return Request(_RTM_DELROUTE, body, "remove default route", accept=(errno.ESRCH,))


def get_routes(version: int) -> Request:
    body = _ROUTE.pack(_family(version), 0, 0, 0, 0, 0, 0, 0, 0)
    return Request(_RTM_GETROUTE, body, "list routes")


def route_of(body: bytes) -> Route | None:
    """What a reply about a route says; None when it is not a unicast route of the main table."""
    family, prefix, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(body)
    found = dict(attributes(body[_ROUTE.size :]))
    table = _number(found.get(_RTA_TABLE)) or table
    if kind != _RTN_UNICAST or table != _RT_TABLE_MAIN:
        return None
    four = family == socket.AF_INET
    packed = found.get(_RTA_DST, bytes(4 if four else 16))
    via = found.get(_RTA_GATEWAY)
    gateway: Address | None = None
    if via:
        gateway = IPv4Address(via) if four else IPv6Address(via)
    return Route(
        range=IPv4Network((packed, prefix)) if four else IPv6Network((packed, prefix)),
        link=_number(found.get(_RTA_OIF)),
        gateway=gateway,
    )


# Neighbours

_RTM_NEWNEIGH: Final = 28
_NDA_DST: Final = 1
_NDA_LLADDR: Final = 2
_NUD_REACHABLE: Final = 0x02
_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")


def set_neighbour(index: int, address: Address, mac: str) -> Request:
    """What the ARP or ND table says about ``address``: known now, checked again when it ages."""
    body = _NEIGHBOUR.pack(_family(address.version), index, _NUD_REACHABLE, 0, 0)
    body += attribute(_NDA_DST, address.packed) + attribute(_NDA_LLADDR, mac_bytes(mac))
    return Request(_RTM_NEWNEIGH, body, f"set neighbour {address}", NLM_F_CREATE | NLM_F_REPLACE)
