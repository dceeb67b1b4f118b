"""Containers plugged in and out: endpoints, published ports, default routes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from knarr.errors import Forbidden, KnarrError
from knarr.events import Event
from knarr.ids import ContainerId
from knarr.kernel import netlink
from knarr.network import rows
from knarr.network.drivers import plan_endpoint, standing_bridge
from knarr.network.endpoints import (
    endpoint,
    gateway_endpoint,
    gateway_of,
    interface_names,
    renamed,
)
from knarr.network.host import HostNetwork, Sandbox
from knarr.network.model import (
    OPTION_HOST_BINDING,
    Endpoint,
    EndpointRequest,
    Member,
    Network,
    PortRequest,
    PublishedPort,
)
from knarr.network.plan import EndpointPlan, Names, is_isolated, port_entries
from knarr.network.ports import PortTable, PortTaken
from knarr.network.registry import NetworkRegistry
from knarr.network.sharing import Change, Shares, Turn
from knarr.network.worker import Worker
from knarr.store import Database

_VERSIONS: Final = (4, 6)
_EVERYWHERE: Final = "0.0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugs:
    """What the verbs about one container share. All or nothing, each of them."""

    db: Database
    names: Names
    registry: NetworkRegistry
    ports: PortTable
    shares: Shares
    host: HostNetwork
    worker: Worker
    bind_address: str
    uplink_mtu: int

    async def plug(
        self,
        member: Member,
        sandbox: Sandbox | None,
        requests: Sequence[EndpointRequest],
        ports: Sequence[PortRequest],
    ) -> None:
        """Put a container that is on no network yet on all of ``requests``.

        One of a group waits for its turn from the beginning.
        """
        if member.group:
            self.registry.directory.mark(member.id, Turn.WAITING)
        endpoints = self._endpoints(member, requests)
        try:
            published = self._publish(member, endpoints, ports)
            if sandbox is not None:
                shared = self.shares.put(member.id, published)
                await self._connect(sandbox, endpoints, published, shared)
            with self.db.transaction() as tx:
                rows.put_member(tx, member)
                rows.put_endpoints(tx, endpoints)
                rows.put_ports(tx, member.id, published)
                for each in endpoints:
                    tx.emit(self._event("connect", each))
        except BaseException:
            self._give_up(member.id, endpoints)
            raise

    async def connect(self, member: Member, sandbox: Sandbox, request: EndpointRequest) -> Endpoint:
        """Put a running container on one more network."""
        network = self.registry.resolve(request.network)
        self._check_joins(member, network)
        endpoints = self._endpoints(member, [request])
        try:
            await self._connect(sandbox, endpoints, ())
            with self.db.transaction() as tx:
                rows.put_endpoints(tx, endpoints)
                tx.emit(self._event("connect", endpoints[0]))
        except BaseException:
            self._forget(endpoints)
            raise
        return endpoints[0]

    def _check_joins(self, member: Member, network: Network) -> None:
        if network.driver == "host":
            raise Forbidden(
                "container cannot be disconnected from host network or connected to host network"
            )
        if network.driver == "null":
            raise Forbidden(
                "container cannot be connected to multiple networks"
                " with one of the networks in private (none) mode"
            )
        for each in self.registry.of(member.id):
            if each.network == network.id:
                raise Forbidden(
                    f"endpoint with name {member.name} already exists in network {network.name}"
                )

    async def disconnect(
        self, member: Member, sandbox: Sandbox | None, network: Network
    ) -> Endpoint:
        """Take a running container off one network; its ports move to what stays."""
        leaving = self.registry.find(member.id, network.id)
        if leaving is None:
            raise KnarrError(f"container {member.id} is not connected to network {network.name}")
        if network.driver == "host":
            raise Forbidden("container cannot be disconnected from host network")
        staying = [each for each in self.registry.of(member.id) if each != leaving]
        before = self.ports.ports_of(member.id)
        after = _moved(before, leaving, self._way_out(staying))
        shared = self.shares.put(member.id, after)
        await self.worker.act(
            self.host.unplug,
            _links([leaving]),
            [*port_entries(before), *shared.remove],
            [*port_entries(after), *shared.add],
        )
        if removal := self.worker.reap(_links([leaving])):
            await asyncio.wait([removal])
        self.ports.replace(member.id, after)
        if sandbox is not None:
            await self._reroute(sandbox, leaving, staying)
        with self.db.transaction() as tx:
            rows.remove_endpoints(tx, [leaving])
            rows.remove_ports(tx, member.id)
            rows.put_ports(tx, member.id, after)
            tx.emit(self._event("disconnect", leaving))
        self.registry.discard(leaving)
        return leaving

    async def unplug(self, container: ContainerId) -> None:
        """Off all networks, ports free again. Content when it was not plugged in."""
        endpoints = self.registry.of(container)
        ports = self.ports.ports_of(container)
        shared = self.shares.put(container, ())
        links, entries = _links(endpoints), [*port_entries(ports), *shared.remove]
        if links or entries:
            await self.worker.act(self.host.unplug, links, entries, shared.add)
        if any(port.protocol == "udp" or port.group for port in ports):
            gone = {port.target for port in ports}
            await self.worker.act(self.host.forget_flows, ports, gone=gone)
        with self.db.transaction() as tx:
            rows.remove_member(tx, container)
            rows.remove_endpoints(tx, endpoints)
            rows.remove_ports(tx, container)
            for each in endpoints:
                tx.emit(self._event("disconnect", each))
        self.ports.release(container)
        self.registry.directory.unmark(container)
        self._forget(endpoints)

    def _give_up(self, container: ContainerId, endpoints: Sequence[Endpoint]) -> None:
        """Undo a plug that failed or was cancelled, however far it had come.

        Whoever gets these ports next is plugged in by the same worker, so after this.
        """
        shared = self.shares.put(container, ())
        entries = [*port_entries(self.ports.ports_of(container)), *shared.remove]
        self.worker.later(partial(self.host.unplug, _links(endpoints), entries, shared.add))
        self.ports.release(container)
        self.registry.directory.unmark(container)
        self._forget(endpoints)

    async def take_turns(self, container: ContainerId, turn: Turn) -> None:
        """Whether it gets new connections of what it shares with others; in force on return."""
        self.registry.directory.mark(container, turn)
        change = self.shares.mark(container, turn)
        if change != Change():
            await self.worker.act(self.host.exchange, change.add, change.remove)

    def rename(self, container: ContainerId, name: str) -> None:
        """Names on networks follow the container's; addresses and links stay."""
        before = self.registry.of(container)
        after = [renamed(each, name) for each in before]
        with self.db.transaction() as tx:
            rows.put_endpoints(tx, after)
            rows.rename_member(tx, container, name)
        for old, new in zip(before, after, strict=True):
            self.registry.directory.discard(old)
            self.registry.add(new)

    def _forget(self, endpoints: Sequence[Endpoint]) -> None:
        for each in endpoints:
            self.registry.discard(each)
        self.worker.reap(_links(endpoints))

    def _endpoints(self, member: Member, requests: Sequence[EndpointRequest]) -> Sequence[Endpoint]:
        """Addresses taken, names given; from now on the networks are in use."""
        used = [each.interface for each in self.registry.of(member.id)]
        drafts = self.registry.draft(requests)
        endpoints = [
            endpoint(draft, member, self.names, interface_name=name)
            for draft, name in zip(drafts, interface_names(drafts, used), strict=True)
        ]
        for each in endpoints:
            self.registry.add(each)
        return endpoints

    def _publish(
        self, member: Member, endpoints: Sequence[Endpoint], ports: Sequence[PortRequest]
    ) -> tuple[PublishedPort, ...]:
        """Hold the host's ports; they lead to the endpoint that the default route is on."""
        target = self._way_out(endpoints)
        if not ports or target is None:
            return ()
        binding = self.registry[target.network].options.get(OPTION_HOST_BINDING, "")
        four = binding if binding not in {"", _EVERYWHERE} else self.bind_address
        six = "::" if four == _EVERYWHERE else "::1"
        targets = [ip_address(text) for text in target.addresses]
        try:
            defaults = (IPv4Address(four), IPv6Address(six))
            return self.ports.claim(member.id, ports, targets, defaults, member.group)
        except PortTaken as error:
            holders = self.registry.of(error.holder) if error.holder else ()
            held_by = f" (held by container {holders[0].container_name})" if holders else ""
            raise KnarrError(
                "driver failed programming external connectivity on endpoint"
                f" {member.name} ({target.id}): {error}{held_by}"
            ) from error

    def _way_out(self, endpoints: Sequence[Endpoint]) -> Endpoint | None:
        """The endpoint of the default route; ports lead there."""
        names = {each.network: self.registry[each.network] for each in endpoints}
        bridged = [each for each in endpoints if names[each.network].driver == "bridge"]
        return gateway_endpoint(bridged, names, version=4) or gateway_endpoint(
            bridged, names, version=6
        )

    async def _connect(
        self,
        sandbox: Sandbox,
        endpoints: Sequence[Endpoint],
        ports: Sequence[PublishedPort],
        shared: Change = Change(),  # noqa: B008
    ) -> None:
        networks = [self.registry[each.network] for each in endpoints]
        bridges = [
            bridge
            for network in networks
            if (bridge := standing_bridge(network, self.names, uplink_mtu=self.uplink_mtu))
        ]
        plans = self._plans(endpoints, hairpin=bool(ports))
        try:
            entries = [*port_entries(ports), *shared.add]
            await self.worker.act(self.host.plug, sandbox, bridges, plans, entries, shared.remove)
            if any(port.protocol == "udp" for port in ports):
                await self.worker.act(self.host.forget_flows, ports)
        except OSError as error:
            raise KnarrError(f"failed to set up container networking: {error}") from error

    def _plans(self, endpoints: Sequence[Endpoint], *, hairpin: bool) -> Sequence[EndpointPlan]:
        every = self.registry.of(endpoints[0].container) if endpoints else ()
        ways = {version: self._route_of(every, version) for version in _VERSIONS}
        return [
            plan
            for each in endpoints
            if (
                plan := plan_endpoint(
                    each,
                    self.registry[each.network],
                    self.names,
                    uplink_mtu=self.uplink_mtu,
                    routes=[version for version, chosen in ways.items() if chosen == each],
                    unrouted=[version for version, chosen in ways.items() if chosen is None],
                    hairpin=hairpin,
                )
            )
        ]

    def _route_of(self, endpoints: Sequence[Endpoint], version: int) -> Endpoint | None:
        names = {each.network: self.registry[each.network] for each in endpoints}
        return gateway_endpoint(endpoints, names, version=version)

    async def _reroute(
        self, sandbox: Sandbox, leaving: Endpoint, staying: Sequence[Endpoint]
    ) -> None:
        """The default route went with the link: set it on the endpoint that is next."""
        await self.worker.act(self.host.remove_inside, sandbox, leaving.interface)
        for version in _VERSIONS:
            chosen = self._route_of(staying, version)
            if chosen is not None:
                gateway = ip_address(gateway_of(chosen.settings, version))
                await self.worker.act(self.host.route, sandbox, chosen.interface, gateway)

    def _event(self, action: str, endpoint_: Endpoint) -> Event:
        network = self.registry[endpoint_.network]
        attributes = {
            "name": network.name,
            "type": network.driver,
            "container": endpoint_.container,
        }
        return Event(type="network", action=action, actor=network.id, attributes=attributes)


def port_settings(registry: NetworkRegistry, ports: PortTable) -> list[netlink.Request]:
    """How bridges are to treat the ports of the containers that are plugged in."""
    return [
        netlink.set_port(
            each.link,
            hairpin=bool(ports.ports_of(each.container)),
            isolated=is_isolated(registry[each.network]),
        )
        for each in registry.endpoints()
        if each.link
    ]


def _links(endpoints: Sequence[Endpoint]) -> list[str]:
    return [each.link for each in endpoints if each.link]


def _moved(
    ports: Sequence[PublishedPort], leaving: Endpoint, to: Endpoint | None
) -> tuple[PublishedPort, ...]:
    """Ports that led to ``leaving`` lead to ``to``; those with no address there are given up."""
    by_version = {ip_address(text).version: ip_address(text) for text in to.addresses} if to else {}
    moved: list[PublishedPort] = []
    for port in ports:
        if str(port.target) not in leaving.addresses:
            moved.append(port)
        elif target := by_version.get(port.target.version):
            moved.append(port.leading_to(target))
    return tuple(moved)
