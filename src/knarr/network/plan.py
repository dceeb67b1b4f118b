"""What will be done to links, addresses, routes and the ruleset, as values. Pure.

``host.py`` carries a plan out; nothing is decided there.
"""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_interface
from itertools import groupby
from typing import Final, Protocol

from knarr.ids import EndpointId, NetworkId
from knarr.kernel import netlink, nftables
from knarr.kernel.nftables import Element, Set, concatenated, interface_key
from knarr.network import ruleset
from knarr.network.model import (
    OPTION_BRIDGE_NAME,
    OPTION_ICC,
    OPTION_INHIBIT,
    OPTION_MASQUERADE,
    OPTION_MTU,
    Address,
    AddressRange,
    Network,
    PublishedPort,
)

DEFAULT_RUN_ROOT: Final = "/run/knarr"
WIRE_END: Final = "ke"
_LOOPBACK_INDEX: Final = 1
_SHORTEST_RANGE: Final = 8  # this many ports in a row become one range
_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_OPTION_SOURCE: Final = "com.docker.network.host_ipv4"

Entry = tuple[Set, Element]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What this engine calls its things on the host, so that engines side by side never meet.

    Derived from the run root alone: after a crash the same names are found again.
    """

    token: str
    table: str
    default_bridge: str

    @classmethod
    def of(cls, run_root: str) -> "Names":
        token = hashlib.sha256(run_root.encode()).hexdigest()[:4]
        if run_root == DEFAULT_RUN_ROOT:
            return cls(token=token, table="knarr", default_bridge="knarr0")
        return cls(token=token, table=f"knarr-{token}", default_bridge=f"knarr-{token}")

    def bridge(self, network: Network) -> str:
        if chosen := network.options.get(OPTION_BRIDGE_NAME):
            return chosen
        return f"kb{self.token}{network.id[:9]}"

    def link(self, endpoint: EndpointId) -> str:
        """The host's end of a pair: at most 15 characters, as the kernel has it."""
        return f"kv{self.token}{endpoint[:9]}"

    def parent(self, network: NetworkId) -> str:
        """A wire of our own, for a macvlan network without a parent."""
        return f"kd{self.token}{network[:9]}"

    def trial(self, network: NetworkId) -> str:
        """A link that lives for a moment."""
        return f"kv{self.token}{network[:9]}"

    def is_ours(self, link: str) -> bool:
        """A name that only this engine gives, and no person chose."""
        return (
            link[:2] in {"kb", "kv", "kd", WIRE_END} and link[2:6] == self.token and len(link) == 15
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePlan:
    """A bridge, the host's addresses on it, and what the ruleset must know of it.

    answers_for_ports: containers that are kept apart find the host in each other's place (proxy ARP
    of a private VLAN), so that what they may send each other passes the ruleset.
    """

    name: str
    mac: str
    mtu: int
    addresses: tuple[netlink.Interface, ...]
    entries: tuple[Entry, ...]
    answers_for_ports: bool = False


def bridge_plan(network: Network, names: Names, *, mtu: int) -> BridgePlan:
    name = names.bridge(network)
    address = hashlib.sha256(network.id.encode()).digest()[:4]
    inhibited = network.option(OPTION_INHIBIT, default=False)
    return BridgePlan(
        name=name,
        mac=(b"\x02\x42" + address).hex(":"),
        mtu=mtu,
        addresses=tuple(
            ip_interface((subnet.gateway, subnet.range.prefixlen))
            for subnet in network.subnets
            if subnet.gateway is not None and not inhibited
        ),
        entries=tuple(_network_entries(network, name)),
        answers_for_ports=network.is_default_bridge and is_isolated(network),
    )


def _network_entries(network: Network, bridge: str) -> Iterable[Entry]:
    key = interface_key(bridge)
    yield ruleset.BRIDGES, Element(key)
    if not is_isolated(network):  # the bridge keeps them apart: so must we, as their router
        yield ruleset.WITHIN, Element(key + key)
    if network.internal:
        yield ruleset.INTERNAL, Element(key)
    for subnet in network.subnets:
        first, last = _edges(subnet.range)
        four = subnet.range.version == 4
        local = ruleset.LOCAL4 if four else ruleset.LOCAL6
        yield local, Element(first + key, last + key)
        if network.internal or not network.option(OPTION_MASQUERADE, default=True):
            continue
        source = network.options.get(_OPTION_SOURCE) if four else None
        if source:
            yield ruleset.SOURCES4, Element(first, last, ip_interface(source).ip.packed)
        else:
            yield (ruleset.MASQUERADED4 if four else ruleset.MASQUERADED6), Element(first, last)


def _edges(range_: AddressRange) -> tuple[bytes, bytes]:
    return range_.network_address.packed, range_.broadcast_address.packed


def mtu_of(network: Network, *, uplink: int) -> int:
    """The option's, or what the host's way out can carry, at most Ethernet's 1500 bytes."""
    chosen = network.options.get(OPTION_MTU, "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else min(1500, uplink or 1500)


class EndpointPlan(Protocol):
    """How one endpoint comes to be, whatever its driver."""

    @property
    def anchor(self) -> str:
        """The link on the host that it hangs on: a bridge, a parent."""

    @property
    def link(self) -> str:
        """The host's end; empty where there is none."""

    @property
    def interface(self) -> str:
        """The container's end."""

    def outside(self, anchor: int, namespace: int) -> list[netlink.Request]:
        """Requests for the host's namespace; the container's end is in place after the first.

        anchor: that link's index. namespace: a file descriptor of the container's.
        """

    def inside(self, index: int) -> list[netlink.Request]:
        """Requests for the container's namespace, where the interface has that index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """One end in a bridge and one in the container.

    gateways: of the default routes to set, none when another endpoint has them.
    hairpin: the container may reach its own published ports by the host's address.
    isolated: no traffic with other containers of the network (icc=false).
    """

    anchor: str
    link: str
    interface: str
    mac: str
    mtu: int
    addresses: tuple[netlink.Interface, ...]
    gateways: tuple[Address, ...] = ()
    hairpin: bool = False
    isolated: bool = False

    def outside(self, anchor: int, namespace: int) -> list[netlink.Request]:
        requests = [
            netlink.add_veth(
                self.link,
                bridge=anchor,
                mtu=self.mtu,
                peer=self.interface,
                peer_mac=self.mac,
                namespace=namespace,
            )
        ]
        if self.hairpin or self.isolated:
            requests.append(
                netlink.set_port(self.link, hairpin=self.hairpin, isolated=self.isolated)
            )
        return requests

    def inside(self, index: int) -> list[netlink.Request]:
        return inside(index, self.addresses, self.gateways)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentPlan:
    """A link of the host that macvlan or ipvlan links hang on.

    vlan: (link, number) when it is to be made as an 802.1Q link.
    is_made: it is a wire of our own that leads nowhere, a pair of links.
    """

    name: str
    driver: str
    vlan: tuple[str, int] | None = None
    is_made: bool = False

    @property
    def other_end(self) -> str:
        return WIRE_END + self.name[2:]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnParentPlan:
    """The container's end alone, on a parent's wire: macvlan with a MAC address of its own,
    ipvlan with the parent's.

    routed: IP versions that go out on the link with no router between (ipvlan's layer 3).
    """

    anchor: str
    driver: str
    mode: str
    flag: str
    interface: str
    mac: str
    addresses: tuple[netlink.Interface, ...]
    gateways: tuple[Address, ...] = ()
    routed: tuple[int, ...] = ()
    link: str = ""

    def outside(self, anchor: int, namespace: int) -> list[netlink.Request]:
        if self.driver == "macvlan":
            return [
                netlink.add_macvlan(
                    self.interface, parent=anchor, mode=self.mode, mac=self.mac, namespace=namespace
                )
            ]
        return [
            netlink.add_ipvlan(
                self.interface, parent=anchor, mode=self.mode, flag=self.flag, namespace=namespace
            )
        ]

    def inside(self, index: int) -> list[netlink.Request]:
        requests = inside(index, self.addresses, self.gateways)
        return requests + [netlink.set_default_link(version, link=index) for version in self.routed]


def inside(
    index: int, addresses: Sequence[netlink.Interface], gateways: Sequence[Address]
) -> list[netlink.Request]:
    """Addresses, then routes: an interface without IPv6 addresses makes up none either."""
    requests = []
    if not any(address.version == 6 for address in addresses):
        requests.append(netlink.without_link_local(index))
    requests.append(netlink.set_up(index))
    requests += [netlink.add_address(index, address) for address in addresses]
    requests += [netlink.set_default_route(gateway, link=index) for gateway in gateways]
    return requests


def loopback() -> list[netlink.Request]:
    """The kernel gives it its addresses by itself."""
    return [netlink.set_up(_LOOPBACK_INDEX)]


def is_isolated(network: Network) -> bool:
    return not network.option(OPTION_ICC, default=True)


def interface(address: Address, prefix: int) -> netlink.Interface:
    return (IPv4Interface if address.version == 4 else IPv6Interface)((address.packed, prefix))


# Published ports


def port_entries(ports: Iterable[PublishedPort]) -> list[Entry]:
    """What the maps must hold. A run of ports that keep their number is one range.

    Ports that are shared are not among it: ``sharing.py``.
    """
    entries: list[Entry] = []
    for run in _runs(port for port in ports if not port.group):
        if len(run) >= _SHORTEST_RANGE:
            entries.append(_range_entry(run[0], run[-1]))
        else:
            entries += [_port_entry(port) for port in run]
    return entries


def _runs(ports: Iterable[PublishedPort]) -> list[list[PublishedPort]]:
    """Split into runs in which host port and container port are equal and grow by one."""
    ordered = sorted(ports, key=lambda p: (p.protocol, str(p.host_ip), str(p.target), p.host_port))
    runs: list[list[PublishedPort]] = []
    for port in ordered:
        if runs and _follows(runs[-1][-1], port):
            runs[-1].append(port)
        else:
            runs.append([port])
    return runs


def _follows(before: PublishedPort, port: PublishedPort) -> bool:
    return (
        port.host_port == port.container_port == before.host_port + 1
        and before.host_port == before.container_port
        and (port.protocol, port.host_ip, port.target)
        == (before.protocol, before.host_ip, before.target)
    )


def _range_entry(first: PublishedPort, last: PublishedPort) -> Entry:
    four = first.target.version == 4
    protocol = bytes((_PROTOCOLS[first.protocol],))
    low, high = (first.host_ip.packed,) * 2
    if first.host_ip.is_unspecified:
        high = b"\xff" * len(low)
    return ruleset.RANGES4 if four else ruleset.RANGES6, Element(
        concatenated(low, protocol, first.host_port.to_bytes(2, "big")),
        concatenated(high, protocol, last.host_port.to_bytes(2, "big")),
        first.target.packed,
    )


def slot_entry(port: PublishedPort, slot: int) -> Entry:
    """One turn of a port that is shared. slot: as the kernel counts them, 0 to SLOTS - 1."""
    four = port.target.version == 4
    key = [bytes((_PROTOCOLS[port.protocol],)), port.host_port.to_bytes(2, "big")]
    set_ = ruleset.TURNS4 if four else ruleset.TURNS6
    if not port.host_ip.is_unspecified:
        key.insert(0, port.host_ip.packed)
        set_ = ruleset.TURNS4_AT if four else ruleset.TURNS6_AT
    data = concatenated(port.target.packed, port.container_port.to_bytes(2, "big"))
    return set_, Element(concatenated(*key, slot.to_bytes(4, sys.byteorder)), None, data)


def _port_entry(port: PublishedPort) -> Entry:
    four = port.target.version == 4
    key = (bytes((_PROTOCOLS[port.protocol],)), port.host_port.to_bytes(2, "big"))
    data = concatenated(port.target.packed, port.container_port.to_bytes(2, "big"))
    if port.host_ip.is_unspecified:
        return ruleset.PORTS4 if four else ruleset.PORTS6, Element(concatenated(*key), None, data)
    set_ = ruleset.PORTS4_AT if four else ruleset.PORTS6_AT
    return set_, Element(concatenated(port.host_ip.packed, *key), None, data)


def linked_entry(source: IPv4Address, target: IPv4Address, port: int, protocol: str) -> Entry:
    """``source`` may reach a port of ``target`` although they are kept apart."""
    service = (bytes((_PROTOCOLS[protocol],)), port.to_bytes(2, "big"))
    return ruleset.LINKED4, Element(concatenated(source.packed, target.packed, *service))


def added(table: str, entries: Iterable[Entry]) -> list[netlink.Request]:
    return [
        request
        for set_, elements in _by_set(entries)
        for request in nftables.add_elements(table, set_, elements)
    ]


def removed(table: str, entries: Iterable[Entry]) -> list[netlink.Request]:
    return [
        request
        for set_, elements in _by_set(entries)
        for request in nftables.remove_elements(table, set_, elements)
    ]


def _by_set(entries: Iterable[Entry]) -> Iterable[tuple[Set, list[Element]]]:
    ordered = sorted(entries, key=lambda entry: entry[0].name)
    for _, group in groupby(ordered, key=lambda entry: entry[0].name):
        found = list(group)
        yield found[0][0], [element for _, element in found]
