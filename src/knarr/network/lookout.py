"""Sees other firewalls' chains that drop what comes to published ports, and says which.

The rules are read when a port is published, by netlink, from those tables alone that have a chain
on a packet's way to a container; what they mean is worked out in obstacles.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from knarr.kernel.netlink import Netlink
from knarr.kernel.nftables import (
    FORWARD,
    INET,
    IPV4,
    IPV6,
    NETLINK_NETFILTER,
    PREROUTING,
    BaseChain,
)
from knarr.kernel.nftreading import Rules, rules_of
from knarr.network.model import Address, PortRequest, PublishedPort
from knarr.network.obstacles import Fate, Packet, fate
from knarr.network.ruleset import MARK

_REDIRECTION: Final = -100  # priority of our chain that leads a packet to its container
_OUR_FORWARD: Final = -1
_FAMILIES: Final = {INET: "inet", IPV4: "ip", IPV6: "ip6"}
_LOOKED_AT: Final = 32  # ports: a run of ten thousand fares alike
_NAMED: Final = 4

Uplink = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A port as a packet from outside meets it: the host's, then the container's.

    host_port: None while it is not chosen. target: None while it has no address.
    """

    family: int
    protocol: str
    host_port: int | None
    container_port: int
    target: Address | None = None

    def at(self, chain: BaseChain, uplink: Uplink | None) -> Packet:
        """The packet in a chain of another firewall."""
        if chain.hook == PREROUTING and chain.priority <= _REDIRECTION:
            return Packet(
                family=self.family, protocol=self.protocol, port=self.host_port, uplink=uplink
            )
        marked = chain.hook == FORWARD and chain.priority > _OUR_FORWARD
        return Packet(
            family=self.family,
            protocol=self.protocol,
            port=self.container_port,
            address=self.target,
            uplink=uplink,
            redirected=True,
            mark=MARK if marked else None,
        )

    def __str__(self) -> str:
        return f"{self.host_port or self.container_port}/{self.protocol}"


def requested(ports: Iterable[PortRequest], bind_address: str) -> list[Arrival]:
    """Ports that are to be published and to be reached from outside."""
    return [
        Arrival(
            family=IPV6 if ":" in port.host_ip else IPV4,
            protocol=port.protocol,
            host_port=port.first if port.first and port.first == port.last else None,
            container_port=port.container_port,
        )
        for port in ports
        if not _is_loopback(port.host_ip or bind_address)
    ]


def published(ports: Iterable[PublishedPort]) -> list[Arrival]:
    """The same for ports that are."""
    return [
        Arrival(
            family=IPV4 if port.target.version == 4 else IPV6,
            protocol=port.protocol,
            host_port=port.host_port,
            container_port=port.container_port,
            target=port.target,
        )
        for port in ports
        if not port.host_ip.is_loopback
    ]


def _is_loopback(text: str) -> bool:
    return text.startswith("127.") or text in {"::1", "[::1]"}


class Lookout:
    """Over a netlink socket of its own."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    @classmethod
    def open(cls) -> Self:
        return cls(Netlink.open(NETLINK_NETFILTER))

    def close(self) -> None:
        self._netlink.close()

    def complaints(
        self, chains: Iterable[BaseChain], ports: Sequence[Arrival], uplink: Uplink | None
    ) -> list[str]:
        """A sentence for each of ``chains`` that drops some of the ports for sure."""
        found = []
        tables: dict[tuple[int, str], Rules] = {}
        for chain in filter(_is_on_the_way, chains):
            met = [each for each in ports[:_LOOKED_AT] if chain.family in (INET, each.family)]
            if not met:
                continue
            table = (chain.family, chain.table)
            rules = tables[table] = tables.get(table) or rules_of(self._netlink, *table)
            dropped = [
                each for each in met if fate(chain, rules, each.at(chain, uplink)) is Fate.DROPPED
            ]
            if dropped:
                found.append(_sentence(chain, dropped))
        return found


def _is_on_the_way(chain: BaseChain) -> bool:
    """Of other programs' filters, and not of other engines of ours."""
    hooked = chain.hook in (PREROUTING, FORWARD) and chain.family in _FAMILIES
    return hooked and not chain.table.startswith("knarr")


def _sentence(chain: BaseChain, ports: Sequence[Arrival]) -> str:
    names = list(dict.fromkeys(map(str, ports)))
    told = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
    where = f"{_FAMILIES[chain.family]} {chain.table} {chain.name}"
    return (
        f"the host's firewall drops what comes from outside to published port {told}:"
        f" see `nft list chain {where}`"
    )
