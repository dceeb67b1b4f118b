"""The host's side of networks, carried out: bridges, pairs, the ruleset. Synchronous.

All of it runs in one worker thread, one thing after the other: the kernel has one lock for all
links anyway, and the daemon's loop never waits for it. Taking a link away for good takes the kernel
some 20 ms, which nobody needs to wait for: that has a thread of its own.
"""

import errno
import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_network
from socket import socket
from typing import Final, Protocol

from knarr.kernel import conntrack, netlink, nftables, sysctl
from knarr.kernel.netlink import Link, Netlink
from knarr.kernel.nftables import NfTables
from knarr.network import plan, ruleset
from knarr.network.firewall import Passage
from knarr.network.lookout import Arrival, Lookout
from knarr.network.model import Address, AddressRange, PublishedPort
from knarr.network.plan import WIRE_END, BridgePlan, EndpointPlan, Entry, Names, ParentPlan

_MADE_BY_US: Final = "made by knarr"
_TRIAL_MAC: Final = "02:42:00:00:00:01"
_log = logging.getLogger("knarr.network")


class Sandbox(Protocol):
    """A container's network namespace: where it is mounted, and a netlink socket made inside."""

    @property
    def path(self) -> str: ...

    @property
    def netlink(self) -> socket: ...


class HostNetwork:
    """The one place that changes links and rules in the daemon's own network namespace."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._route = Netlink.open()
        self._reaper = Netlink.open()  # for ``reap`` alone: it has a thread of its own
        self._nft = NfTables.open()
        self._conntrack = Netlink.open(nftables.NETLINK_NETFILTER)
        self._passage = Passage(self._nft, names.table)
        self._lookout = Lookout.open()
        self._bridges: dict[str, int] = {}  # link index by name, of bridges that are up
        self._has_table = False

    def close(self) -> None:
        self._route.close()
        self._reaper.close()
        self._nft.close()
        self._lookout.close()
        self._conntrack.close()

    # What the host looks like

    def links(self) -> list[Link]:
        return [netlink.link_of(body) for body in self._route.dump(netlink.get_links())]

    def link(self, name: str) -> Link | None:
        """None when there is no such link."""
        try:
            return netlink.link_of(self._route.get(netlink.get_link(name)))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def ranges(self, *, besides: Iterable[str] = ()) -> list[AddressRange]:
        """What the host has addresses in or routes to, but for the links named ``besides``."""
        ours = {link.index for link in self.links() if link.name in set(besides)}
        found: list[AddressRange] = []
        for version in (4, 6):
            for body in self._route.dump(netlink.get_routes(version)):
                route = netlink.route_of(body)
                if route and route.link not in ours and route.range.prefixlen:
                    found.append(route.range)
        for body in self._route.dump(netlink.get_addresses()):
            index, address = netlink.address_of(body)
            if index not in ours:
                found.append(ip_network(address.network))
        return found

    def uplink(self) -> Link | None:
        """The link of the default route; None when there is no such route."""
        for body in self._route.dump(netlink.get_routes(4)):
            route = netlink.route_of(body)
            if route and not route.range.prefixlen and route.link:
                return next((each for each in self.links() if each.index == route.link), None)
        return None

    def uplink_mtu(self) -> int:
        """Bytes that the link of the default route carries; 0 when there is no such route."""
        uplink = self.uplink()
        return uplink.mtu if uplink else 0

    def obstacles(self, ports: Sequence[Arrival], *, yet_to_start: bool = False) -> list[str]:
        """A sentence for each chain of another firewall that drops what comes to ``ports``.

        yet_to_start: chains that we shall have opened by then are passed over.
        """
        uplink = self.uplink()
        return self._lookout.complaints(
            [
                chain
                for chain in (self._nft.chains() if ports else ())
                if not (yet_to_start and self._passage.will_open(chain))
            ],
            ports,
            (uplink.index, uplink.name) if uplink else None,
        )

    # The ruleset

    def raise_table(self) -> None:
        """Our table, empty, and what the host must allow for it to work. Content when it is up."""
        if self._has_table:
            return
        sysctl.ensure("net/ipv4/ip_forward", "1")
        self._nft.commit(ruleset.install(self._names.table))
        self._has_table = True
        self._open_passage()

    def lower_table(self) -> None:
        """Content when it is not up."""
        self._has_table = False
        self._passage.close()
        if (nftables.INET, self._names.table) in self._nft.tables():
            self._nft.commit([nftables.remove_table(self._names.table)])

    def _open_passage(self) -> None:
        for chain in self._passage.open():
            _log.info("the firewall chain %s drops by default: containers are let through", chain)

    def mend(self, bridges: Sequence[BridgePlan], entries: Sequence[Entry]) -> None:
        """After others changed rules: ours again if they are gone, and our passage through theirs.

        bridges, entries: what the ruleset is to hold.
        """
        if not self._has_table:
            return
        if (nftables.INET, self._names.table) in self._nft.tables():
            self._open_passage()
            return
        _log.warning("the table %s was removed by others: it is installed anew", self._names.table)
        self.adopt(bridges, entries)

    def change(self, add: Sequence[Entry] = (), remove: Sequence[Entry] = ()) -> None:
        """Elements of the ruleset, all at once."""
        table = self._names.table
        requests = [*plan.removed(table, remove), *plan.added(table, add)]
        if requests:
            self._nft.commit(requests)

    def exchange(self, add: Sequence[Entry], remove: Sequence[Entry]) -> None:
        """The same, where some of ``remove`` may be gone already (``nft flush ruleset``)."""
        try:
            self.change(add, remove)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            self._without_missing(remove)
            self.change(add)

    # Bridges

    @property
    def bridges(self) -> frozenset[str]:
        """Names of those that are up."""
        return frozenset(self._bridges)

    def raise_bridge(self, wanted: BridgePlan) -> None:
        """The bridge with its addresses and entries. Content when it is up."""
        if wanted.name in self._bridges:
            return
        self.raise_table()
        found = self.link(wanted.name)
        made = found is None
        if found is None:
            add = netlink.add_bridge(wanted.name, mac=wanted.mac, mtu=wanted.mtu)
            self._route.act([add])
            found = netlink.link_of(self._route.get(netlink.get_link(wanted.name)))
        elif found.kind != "bridge":
            raise FileExistsError(errno.EEXIST, f"{wanted.name} is there and is no bridge")
        try:
            addresses = [netlink.add_address(found.index, each) for each in wanted.addresses]
            self._route.act([netlink.set_up(found.index), *addresses])
            self._set_kernel(wanted)
            self.change(add=wanted.entries)
        except BaseException:
            if made:
                self._route.act([netlink.remove_link(wanted.name)])
            raise
        self._bridges[wanted.name] = found.index

    def _set_kernel(self, wanted: BridgePlan) -> None:
        """Packets from 127.0.0.1 may be sent into a bridge: the host's own to published ports."""
        sysctl.ensure(f"net/ipv4/conf/{wanted.name}/route_localnet", "1")
        if wanted.answers_for_ports:
            sysctl.ensure(f"net/ipv4/conf/{wanted.name}/proxy_arp_pvlan", "1")
            sysctl.ensure(f"net/ipv4/neigh/{wanted.name}/proxy_delay", "0")
        if any(address.version == 6 for address in wanted.addresses):
            sysctl.ensure(f"net/ipv6/conf/{wanted.name}/disable_ipv6", "0")
            sysctl.ensure(f"net/ipv6/conf/{wanted.name}/accept_ra", "0")
            # Neighbours are asked for in the name of the bridge's link-local address: while it is
            # tried for a double, for up to two seconds, packets led on into the bridge are lost.
            sysctl.ensure(f"net/ipv6/conf/{wanted.name}/accept_dad", "0")
            sysctl.ensure("net/ipv6/conf/all/forwarding", "1")

    def lower_bridge(self, wanted: BridgePlan) -> None:
        """Content when it is not up."""
        if self._bridges.pop(wanted.name, None) is not None:
            self._without_missing(wanted.entries)
        self._route.act([netlink.remove_link(wanted.name)])

    def _without_missing(self, entries: Sequence[Entry]) -> None:
        """Remove elements; some may be gone already (``nft flush ruleset``)."""
        try:
            self.change(remove=entries)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            for entry in entries:
                with suppress(FileNotFoundError):
                    self.change(remove=[entry])

    # Parents of macvlan and ipvlan links

    def raise_parent(self, wanted: ParentPlan) -> None:
        """The parent, made if it is ours to make. Raises OSError when there is none to be had."""
        if self.link(wanted.name) is None:
            self._route.act(self._new_parent(wanted))

    def _new_parent(self, wanted: ParentPlan) -> list[netlink.Request]:
        if wanted.is_made:
            return netlink.add_wire(wanted.name, wanted.other_end)
        if wanted.vlan is None:
            raise FileNotFoundError(errno.ENODEV, f"there is no link {wanted.name}")
        parent, number = wanted.vlan
        index = netlink.link_of(self._route.get(netlink.get_link(parent))).index
        return [netlink.add_vlan(wanted.name, parent=index, number=number, alias=_MADE_BY_US)]

    def try_parent(self, wanted: ParentPlan, name: str) -> None:
        """Make a link on the parent for a moment: whether this kernel can is known then."""
        index = netlink.link_of(self._route.get(netlink.get_link(wanted.name))).index
        if wanted.driver == "macvlan":
            link = netlink.add_macvlan(name, parent=index, mode="bridge", mac=_TRIAL_MAC)
        else:
            link = netlink.add_ipvlan(name, parent=index, mode="l2")
        self._route.act([link])
        self._route.act([netlink.remove_link(name)])

    def lower_parent(self, wanted: ParentPlan) -> None:
        """Remove what ``raise_parent`` made, and nothing that was there before."""
        link = self.link(wanted.name)
        if link and (wanted.is_made or (wanted.vlan and link.alias == _MADE_BY_US)):
            self._route.act([netlink.remove_link(wanted.name)])

    # Endpoints

    def plug(
        self,
        sandbox: Sandbox,
        bridges: Sequence[BridgePlan],
        endpoints: Sequence[EndpointPlan],
        entries: Sequence[Entry],
        gone: Sequence[Entry] = (),
    ) -> None:
        """Loopback, bridges where they are not up, all pairs, published ports; all or nothing.

        gone: entries of others in whose place ``entries`` come.
        """
        inside = Netlink(sandbox.netlink)
        for bridge in bridges:
            self.raise_bridge(bridge)
        if not endpoints:
            inside.act(plan.loopback())
            return
        namespace = os.open(sandbox.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._route.act(
                [
                    request
                    for each in endpoints
                    for request in each.outside(self._anchor(each.anchor), namespace)
                ]
            )
            indices = (self._index(inside, each.interface) for each in endpoints)
            requests = plan.loopback()
            for each, index in zip(endpoints, indices, strict=True):
                requests += each.inside(index)
            inside.act([*requests, *(netlink.settle(each.interface) for each in endpoints)])
            paired = [each for each in endpoints if each.link]
            ends = [*(each.link for each in paired), *(each.anchor for each in paired)]
            self._route.act([netlink.settle(name) for name in ends])
            self.exchange(entries, gone)
        except BaseException:
            self._route.act([netlink.remove_link(each.link) for each in endpoints if each.link])
            raise
        finally:
            os.close(namespace)

    def _anchor(self, name: str) -> int:
        """The index of a bridge or a parent link. Raises OSError (ENODEV) when it is not there."""
        if name in self._bridges:
            return self._bridges[name]
        return netlink.link_of(self._route.get(netlink.get_link(name))).index

    def _index(self, inside: Netlink, interface: str) -> int:
        return netlink.link_of(inside.get(netlink.get_link(interface))).index

    def route(self, sandbox: Sandbox, interface: str, gateway: Address) -> None:
        """Set a container's default route of the gateway's family."""
        inside = Netlink(sandbox.netlink)
        index = self._index(inside, interface)
        inside.act([netlink.set_default_route(gateway, link=index)])

    def remove_inside(self, sandbox: Sandbox, interface: str) -> None:
        """Take away the container's end, where it has no other. Content when it is gone."""
        Netlink(sandbox.netlink).act([netlink.remove_link(interface)])

    def unplug(
        self, links: Sequence[str], entries: Sequence[Entry], instead: Sequence[Entry] = ()
    ) -> None:
        """Silence the links at once and drop the published ports; ``reap`` takes the links away.

        instead: entries to have in place of ``entries``.
        """
        if entries != instead:
            self.exchange(instead, entries)
        self._route.act([netlink.silence(name) for name in links])

    def reap(self, links: Sequence[str]) -> None:
        """Take links away for good: slow, and from a thread of its own."""
        self._reaper.act([netlink.remove_link(name) for name in links])

    def forget_flows(self, ports: Iterable[PublishedPort], *, gone: Iterable[Address] = ()) -> None:
        """Flows to ``ports`` are decided upon anew: of UDP, and of TCP where a port is shared.

        gone: only those that these addresses answered.
        """
        known = list(ports)
        left = set(gone)
        udp = {port.host_port for port in known if port.protocol == "udp"}
        tcp = {port.host_port for port in known if port.protocol == "tcp" and port.group}
        for protocol, published in ((conntrack.UDP, udp), (conntrack.TCP, tcp)):
            only = next(iter(published)) if len(published) == 1 else None
            for family in (nftables.IPV4, nftables.IPV6) if published else ():
                flows = conntrack.flows(self._conntrack, family, protocol, to_port=only)
                conntrack.forget(
                    self._conntrack,
                    family,
                    [
                        flow
                        for flow in flows
                        if flow.to_port in published and (not left or flow.reply_from in left)
                    ],
                )

    # After a crash

    def adopt(self, bridges: Sequence[BridgePlan], entries: Sequence[Entry]) -> None:
        """The ruleset anew with ``bridges`` and published ports, for containers that run on."""
        self._has_table = False
        self._bridges.clear()
        self.raise_table()
        for bridge in bridges:
            try:
                self.raise_bridge(bridge)
            except OSError as error:
                _log.warning("the bridge %s cannot be made: %s", bridge.name, error)
        self.change(add=entries)

    def set_ports(self, requests: Sequence[netlink.Request]) -> None:
        """Ports of bridges; some may be gone."""
        for request in requests:
            try:
                self._route.act([request])
            except OSError as error:
                _log.warning("a bridge's port: %s", error)

    def sweep(self, keep: Iterable[str]) -> list[str]:
        """Remove every link of ours but those to ``keep``. Returns what was removed."""
        kept = set(keep)
        stale = [
            link.name
            for link in self.links()
            if link.name not in kept
            and link.name[:2] != WIRE_END  # it goes with the other
            and (self._names.is_ours(link.name) or link.name == self._names.default_bridge)
        ]
        for name in stale:
            _log.warning("removing the link %s, which no container uses", name)
        self._route.act([netlink.remove_link(name) for name in stale])
        return stale
