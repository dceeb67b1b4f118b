"""The verbs of networks: made, shown, removed; containers plugged in and out.

A container is plugged in before its process starts and out after it ended. What is in place is in
memory and in rows; ``start`` compares both with the kernel and repairs what a crash left.
"""

import asyncio
import errno
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from knarr.errors import Conflict, Forbidden, KnarrError, NotFound, Unsupported
from knarr.events import Event
from knarr.ids import ContainerId, NetworkId, new_hex
from knarr.network import creation, documents, lookout, rows
from knarr.network.creation import Facts
from knarr.network.drivers import parent_plan, standing_bridge
from knarr.network.endpoints import check_request
from knarr.network.host import HostNetwork, Sandbox
from knarr.network.hostfiles import HostResolvConf
from knarr.network.ipam import DEFAULT_POOLS, free_subnet, local_range, overlap
from knarr.network.linking import Link, Links
from knarr.network.model import (
    AddressRange,
    Endpoint,
    EndpointRequest,
    Member,
    Network,
    Plugged,
    PortRequest,
    PublishedPort,
    Subnet,
)
from knarr.network.nameserver import Client, Nameserver, Sockets
from knarr.network.plan import BridgePlan, Entry, Names, ParentPlan, is_isolated, port_entries
from knarr.network.plugs import Plugs
from knarr.network.ports import PortTable
from knarr.network.registry import NetworkRegistry
from knarr.network.relays import Relays
from knarr.network.resolv import forwarders
from knarr.network.rulewatch import RuleWatch
from knarr.network.selection import NetworkFilters, matches
from knarr.network.sharing import Backend, Shares, Turn
from knarr.network.worker import Worker
from knarr.spec.docker.container import EndpointSettings, PortBinding
from knarr.spec.docker.network import (
    NetworkCreate,
    NetworkCreated,
    NetworkInspect,
    NetworksPruned,
)
from knarr.store import Database

_log = logging.getLogger("knarr.network")
_LINGER_SECONDS: Final = 10.0
_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What an engine's configuration says of networks.

    bind_address: where published ports are bound that name no address; ``127.0.0.1`` keeps them
    on this machine. pools: (range, prefix length) of subnets to choose from.
    icc: whether containers on the default bridge reach each other; if not, by links alone.
    linger_seconds: how long the default bridge and the ruleset outlive the last container.
    """

    bind_address: str = "0.0.0.0"
    pools: Sequence[tuple[AddressRange, int]] = DEFAULT_POOLS
    icc: bool = True
    linger_seconds: float = _LINGER_SECONDS


class NetworkService:
    """Networks of one engine. ``start`` before anything else, ``close`` at the end."""

    def __init__(
        self,
        db: Database,
        run_root: str,
        settings: NetworkSettings = NetworkSettings(),
        *,
        sockets: Sockets | None = None,
        resolv_conf: HostResolvConf | None = None,
    ) -> None:
        """sockets: makes sockets in containers' namespaces; without it no names are served."""
        self._db = db
        self._settings = settings
        self._names = Names.of(str(run_root))
        self._seed = str(run_root).encode()
        self._host = HostNetwork(self._names)
        self._worker = Worker(self._host)
        self._registry = NetworkRegistry()
        self._ports = PortTable(Relays(lambda number: self._ports.behind_loopback(number)))
        self._shares = Shares()
        self._links = Links(self._registry)
        self._plugs = self._plugs_with(uplink_mtu=0)
        self._sockets = sockets
        self._resolv_conf = resolv_conf or HostResolvConf()
        self._nameserver = Nameserver(self._registry.directory)
        self._watch = RuleWatch(self._rules_changed)
        self._closing: asyncio.TimerHandle | None = None
        self._raising = asyncio.Lock()

    def _plugs_with(self, *, uplink_mtu: int) -> Plugs:
        return Plugs(
            db=self._db,
            names=self._names,
            registry=self._registry,
            ports=self._ports,
            shares=self._shares,
            host=self._host,
            worker=self._worker,
            bind_address=self._settings.bind_address,
            uplink_mtu=uplink_mtu,
        )

    # Life

    async def start(self, alive: Collection[ContainerId] = (), links: Sequence[Link] = ()) -> None:
        """Read the rows, make the predefined networks, put right what a crash left.

        alive: the containers that run on, as the keeper reports. All others are unplugged.
        links: the legacy links of those.
        """
        mtu = await self._worker.act(self._host.uplink_mtu)
        self._plugs = self._plugs_with(uplink_mtu=mtu)
        for network in rows.all_networks(self._db):
            self._registry.put(network)
        if not list(self._registry):
            await self._make_predefined(mtu)
        self._take_over(set(alive))
        self._links.put(links)
        self._set_icc()
        await self._worker.act(self._restore)
        self._watch.start()
        for member in rows.all_members(self._db):
            await self._serve_again(member, alive)

    async def close(self) -> None:
        """Containers that run stay plugged in: the next daemon takes over."""
        if self._closing:
            self._closing.cancel()
            self._closing = None
        self._watch.close()
        self._nameserver.close()
        await self._worker.act(self._lower_unused)
        await self._worker.close()
        self._ports.close()
        self._host.close()

    async def _make_predefined(self, mtu: int) -> None:
        now_ns = time.time_ns()
        busy = await self._worker.act(self._host.ranges)
        bridge = creation.default_bridge(
            NetworkId(new_hex()),
            now_ns,
            bridge=self._names.default_bridge,
            range_=free_subnet(busy, self._own_pools()),
            mtu=min(1500, mtu or 1500),
            icc=self._settings.icc,
        )
        others = [
            creation.without_addresses(NetworkId(new_hex()), now_ns, name=name, driver=driver)
            for name, driver in (("host", "host"), ("none", "null"))
        ]
        with self._db.transaction() as tx:
            for network in (bridge, *others):
                rows.put_network(tx, network)
                self._registry.put(network)

    def _set_icc(self) -> None:
        default = self._registry.default_bridge
        if is_isolated(default) != self._settings.icc:
            return
        self._registry.put_changed(creation.with_icc(default, icc=self._settings.icc))
        with self._db.transaction() as tx:
            rows.put_network(tx, self._registry.default_bridge)

    def _own_pools(self) -> Sequence[tuple[AddressRange, int]]:
        """Engines side by side begin at different ranges, so that they seldom meet."""
        pools = self._settings.pools
        if self._names.table == "knarr" or len(pools) < 3:
            return pools
        turn = int(self._names.token, 16) % (len(pools) - 1)
        return [*pools[turn:-1], *pools[:turn], pools[-1]]

    def _take_over(self, alive: set[ContainerId]) -> None:
        """What belongs to living containers becomes ours again; the rows of others go."""
        gone = []
        for each in rows.all_endpoints(self._db):
            if each.container in alive:
                self._registry.adopt(each)
            else:
                gone.append(each)
        left = rows.all_ports(self._db)
        for container in left.keys() & alive:
            for complaint in self._ports.restore(container, left[container]):
                _log.warning("a published port is taken: %s", complaint)
            self._shares.put(container, left[container])
            self._shares.mark(container, Turn.READY)  # until somebody knows better
        with self._db.transaction() as tx:
            rows.remove_endpoints(tx, gone)
            for container in left.keys() - alive:
                rows.remove_ports(tx, container)

    def _restore(self) -> None:
        """In the worker: the kernel's state as the rows say."""
        standing = self._standing()
        links = [each.link for each in self._registry.endpoints() if each.link]
        parents = [parent for each in self._registry if (parent := self._parent(each))]
        self._host.sweep(
            [*links, *(bridge.name for bridge in standing), *(parent.name for parent in parents)]
        )
        for parent in parents:
            try:
                self._host.raise_parent(parent)
            except OSError as error:
                _log.warning("a network has no parent: %s", error)
        if standing:
            self._host.adopt(standing, self._port_entries())
            self._host.set_ports(self._plugs.port_settings())
        else:
            self._host.lower_table()

    def _port_entries(self) -> Sequence[Entry]:
        published = [*port_entries(self._ports.all()), *self._shares.entries()]
        return [*published, *self._links.entries()]

    def _standing(self) -> Sequence[BridgePlan]:
        """The bridges that are to be up: the default one only while somebody is on it."""
        return [
            bridge
            for network in self._registry
            if (bridge := self._bridge(network))
            and (not network.is_default_bridge or self._registry.on(network.id))
        ]

    def _parent(self, network: Network) -> ParentPlan | None:
        return parent_plan(network, self._names)

    def _bridge(self, network: Network) -> BridgePlan | None:
        return standing_bridge(network, self._names, uplink_mtu=self._plugs.uplink_mtu)

    def _rules_changed(self) -> None:
        self._worker.later(self._mend)

    def _mend(self) -> None:
        self._host.mend(self._standing(), self._port_entries())

    def _settle(self) -> None:
        """Soon after the last container went, take down what only containers need."""
        if self._closing:
            self._closing.cancel()
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(self._settings.linger_seconds, self._lower)

    def _lower(self) -> None:
        self._closing = None
        self._worker.later(self._lower_unused)

    def _lower_unused(self) -> None:
        """In the worker, where no container is being plugged in meanwhile."""
        default = self._registry.default_bridge
        if not self._registry.on(default.id) and (bridge := self._bridge(default)):
            self._host.lower_bridge(bridge)
        if not self._standing():
            self._host.lower_table()

    # Looking

    def resolve(self, ref: str) -> Network:
        """By name, ID, or an ID's unambiguous beginning. Raises NotFound, InvalidArgument."""
        return self._registry.resolve(ref)

    def inspect(self, ref: str, *, scope: str = "") -> NetworkInspect:
        """Raises NotFound, also for one whose scope is another."""
        network = self.resolve(ref)
        if scope not in {"", network.scope}:
            raise NotFound(f"network {ref} not found")
        return documents.inspect(network, self._registry.on(network.id))

    def list(self, filters: NetworkFilters | None = None) -> Sequence[NetworkInspect]:
        """Newest first; without their containers, as Docker lists them."""
        return [
            documents.listed(network)
            for network in self._newest_first()
            if matches(network, filters or {}, in_use=bool(self._registry.on(network.id)))
        ]

    def _newest_first(self) -> Sequence[Network]:
        return sorted(self._registry, key=lambda each: -each.created_ns)

    def plugged(self, container: ContainerId) -> Plugged:
        """What a container has now; empty when it is not plugged in."""
        return self._shown(self._registry.of(container), self._ports.ports_of(container))

    def _shown(self, endpoints: Iterable[Endpoint], ports: Iterable[PublishedPort]) -> Plugged:
        bindings: dict[str, tuple[PortBinding, ...]] = {}
        for port in ports:
            bindings[port.key] = (*bindings.get(port.key, ()), port.binding)
        return Plugged(
            networks={self._registry[each.network].name: each.settings for each in endpoints},
            ports=bindings,
        )

    def host_gateways(self, container: ContainerId) -> tuple[str, ...]:
        """What ``host-gateway`` stands for: addresses at which the container reaches the host.

        Those of the bridges that it is on, as the default one may be down.
        """
        networks = [self._registry[each.network] for each in self._registry.of(container)]
        if any(network.driver == "host" for network in networks):
            return (_LOOPBACK,)
        bridged = next((each for each in networks if each.driver == "bridge"), None)
        chosen = bridged or self._registry.default_bridge
        return tuple(str(each.gateway) for each in chosen.subnets if each.gateway is not None)

    # Making and removing

    async def create(self, body: NetworkCreate) -> NetworkCreated:
        """A network of one's own. Raises Conflict, Forbidden, InvalidArgument in Docker's words."""
        if (known := self._registry.named(body.name)) and not known.is_predefined:
            raise Conflict(f"network with name {body.name} already exists")
        if body.config_from and body.config_from.network:
            body = creation.inherited(body, self.resolve(body.config_from.network))
        async with self._raising:
            yielding = self._yielding()
            ours = [
                subnet.range
                for each in self._registry
                for subnet in each.subnets
                if not each.config_only and each != yielding
            ]
            facts = Facts(
                id=NetworkId(new_hex()),
                now_ns=time.time_ns(),
                busy=[
                    *ours,
                    *(_ranges(yielding) if yielding else ()),
                    *await self._worker.act(self._host.ranges),
                ],
                ours=ours,
                local_range=local_range(self._seed),
                pools=self._settings.pools,
            )
            network = creation.new_network(body, facts)
            self._check_parent(network)
            if yielding and _meet(network, yielding):
                await self._move_default_bridge([*facts.busy, *_ranges(network)])
            await self._raise(network)
            try:
                with self._db.transaction() as tx:
                    rows.put_network(tx, network)
                    tx.emit(_event("create", network))
            except BaseException:
                await self._take_down(network)
                raise
            self._registry.put(network)
        return NetworkCreated(id=network.id)

    def _yielding(self) -> Network | None:
        """The default bridge, while nobody is on it: whoever asks for its range gets it.

        Docker's is always the same, and people choose others; ours moves when that one is taken.
        """
        default = self._registry.default_bridge
        return None if self._registry.on(default.id) else default

    def _check_parent(self, network: Network) -> None:
        """Two networks on one parent would be one wire. Raises Conflict in Docker's words."""
        wanted = parent_plan(network, self._names)
        for each in self._registry if wanted else ():
            theirs = parent_plan(each, self._names)
            if theirs and wanted and theirs.name == wanted.name:
                raise Conflict(
                    f"network {each.name} is already using parent interface {wanted.name}"
                )

    async def _raise(self, network: Network) -> None:
        """The network's bridge, or what its links will hang on."""
        try:
            if bridge := self._bridge(network):
                await self._worker.act(self._host.raise_bridge, bridge)
            elif parent := parent_plan(network, self._names):
                await self._worker.act(self._host.raise_parent, parent)
                await self._worker.act(self._host.try_parent, parent, self._names.trial(network.id))
        except OSError as error:
            await self._take_down(network)
            kind = Unsupported if error.errno == errno.EOPNOTSUPP else KnarrError
            raise kind(f"failed to create network {network.name}: {error}") from error

    async def _take_down(self, network: Network) -> None:
        if bridge := self._bridge(network):
            await self._worker.act(self._host.lower_bridge, bridge)
        elif parent := parent_plan(network, self._names):
            await self._worker.act(self._host.lower_parent, parent)

    async def remove(self, ref: str) -> None:
        """Raises Forbidden for a predefined network and for one that containers are on."""
        network = self.resolve(ref)
        if network.is_predefined:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if active := self._registry.on(network.id):
            names = ", ".join(
                f'name:"{each.container_name}" id:"{each.id[:12]}"' for each in active
            )
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id}"
                f" has active endpoints ({names})"
            )
        self._registry.forget(network)
        await self._take_down(network)
        with self._db.transaction() as tx:
            rows.remove_network(tx, network.id)
            tx.emit(_event("destroy", network))
        self._settle()

    async def prune(self, filters: NetworkFilters | None = None) -> NetworksPruned:
        """Remove the networks that no container is on."""
        removed = []
        for network in self._newest_first():
            unused = not network.is_predefined and not self._registry.on(network.id)
            if unused and matches(network, filters or {}, in_use=False):
                await self.remove(network.id)
                removed.append(network.name)
        with self._db.transaction() as tx:
            tx.emit(Event(type="network", action="prune", actor="", attributes={"reclaimed": "0"}))
        return NetworksPruned(networks_deleted=tuple(removed))

    # Containers

    def check(self, requests: Sequence[EndpointRequest]) -> None:
        """At ``create``: refuse what will not work. Raises InvalidArgument.

        A network that is not there may be made before the start, as with Docker.
        """
        for request in requests:
            with suppress(NotFound):
                check_request(self.resolve(request.network), request.settings)

    async def port_warnings(self, ports: Sequence[PortRequest]) -> tuple[str, ...]:
        """At ``create``: what the host's firewall will not let through to these ports."""
        arrivals = lookout.requested(ports, self._settings.bind_address)
        if not arrivals:
            return ()
        return tuple(await self._worker.act(self._host.obstacles, arrivals, yet_to_start=True))

    def _warn_of(self, container: str, ports: Sequence[PublishedPort]) -> None:
        """In the worker, behind the start that published them."""
        for each in self._host.obstacles(lookout.published(ports)):
            _log.warning("container %s: %s", container, each)

    async def settled(self) -> None:
        """Once all that was handed to the kernel so far is done."""
        await self._worker.act(lambda: None)

    async def plug(
        self,
        member: Member,
        sandbox: Sandbox | None,
        requests: Sequence[EndpointRequest],
        ports: Sequence[PortRequest] = (),
    ) -> Plugged:
        """Put a container on networks and publish its ports. On failure nothing is left behind.

        sandbox: the container's namespace; None with the network ``host``.
        """
        await self._freshen(requests)
        try:
            await self._plugs.plug(member, sandbox, requests, ports)
            await self._open_links(member.id)
            await self._serve_names(member)
        except BaseException:
            await self.unplug(member.id)
            raise
        if ports:
            published = self._ports.ports_of(member.id)
            self._worker.later(partial(self._warn_of, member.name, published))
        return self.plugged(member.id)

    async def unplug(self, container: ContainerId) -> None:
        """Off all networks, ports free again. Content when it was not plugged in."""
        self._nameserver.stop(container)
        await self._close_links(container)
        self._links.forget(container)
        await self._plugs.unplug(container)
        self._settle()

    async def connect(
        self, member: Member, sandbox: Sandbox, request: EndpointRequest
    ) -> EndpointSettings:
        """Put a running container on one more network. Raises Forbidden when it is on it."""
        await self._freshen([request])
        endpoint = await self._plugs.connect(member, sandbox, request)
        await self._open_links(member.id)
        await self._serve_names(member)
        return endpoint.settings

    async def disconnect(self, member: Member, sandbox: Sandbox | None, network: str) -> None:
        """Take a running container off one network; without ``sandbox`` its routes stay as are."""
        leaving = self.resolve(network)
        if leaving.is_default_bridge:
            await self._close_links(member.id)
        await self._plugs.disconnect(member, sandbox, leaving)
        self._settle()

    async def link(self, container: ContainerId, links: Sequence[Link]) -> None:
        """Legacy links of a container that was plugged in just now; in force until it ends."""
        self._links.put(links)
        await self._open_links(container)

    async def _open_links(self, container: ContainerId) -> None:
        """Its own links, and those of others to it."""
        if entries := self._links.entries(container):
            await self._worker.act(self._host.exchange, entries, ())

    async def _close_links(self, container: ContainerId) -> None:
        """Before its address goes: the next to get it is linked with nobody."""
        if entries := self._links.entries(container):
            await self._worker.act(self._host.exchange, (), entries)

    # Ports and names that several containers share

    def shared_ports(self) -> Sequence[Sequence[Backend]]:
        """For each port that may be shared: the containers behind it."""
        return list(self._shares.backends().values())

    def shared_by(self, container: ContainerId) -> Sequence[PublishedPort]:
        """The ports that a running container may have together with others."""
        return self._shares.ports_of(container)

    def gets_connections(self, container: ContainerId) -> bool:
        """Whether new connections of a shared port may come to it; so too for want of others."""
        return self._shares.gets_connections(container)

    def takes_turns(self, container: ContainerId) -> bool:
        """Whether it was ever said whose turn it is: it may share something."""
        return container in self._registry.directory.turns()

    def turns(self) -> Mapping[ContainerId, Turn]:
        """Of all running containers that take turns."""
        return self._registry.directory.turns()

    def shares_names(self, container: ContainerId) -> bool:
        """Whether another container has a name that it has."""
        directory = self._registry.directory
        return any(directory.meets_others(each) for each in self._registry.of(container))

    def is_relieved(self, container: ContainerId) -> bool:
        """Whether a name of its leads to others instead."""
        directory = self._registry.directory
        return any(directory.is_relieved(each) for each in self._registry.of(container))

    async def take_turns(self, container: ContainerId, turn: Turn) -> None:
        """Whether a container gets new connections of the ports and names that it shares.

        In force on return. Content when it shares none.
        """
        await self._plugs.take_turns(container, turn)

    async def rename(self, container: ContainerId, name: str) -> None:
        """The container is found by its new name, and not by its old one."""
        self._plugs.rename(container, name)

    async def _serve_names(self, member: Member) -> None:
        """A nameserver for a container on a network of one's own; once."""
        endpoints = self._registry.of(member.id)
        own = any(not self._registry[each.network].is_predefined for each in endpoints)
        if not own or self._sockets is None or self._nameserver.serves(member.id):
            return
        client = Client(
            view=partial(self._registry.view, member.id),
            forwarders=lambda: forwarders(self._resolv_conf.own(), member.dns_servers),
        )
        try:
            await self._nameserver.serve(member.id, self._sockets, client)
        except OSError as error:
            raise KnarrError(f"failed to set up container networking: {error}") from error

    async def _serve_again(self, member: Member, alive: Collection[ContainerId]) -> None:
        """After a restart: the sockets went with the daemon before."""
        if member.id not in alive:
            with self._db.transaction() as tx:
                rows.remove_member(tx, member.id)
            return
        try:
            await self._serve_names(member)
        except KnarrError as error:
            _log.warning("container %s has no nameserver: %s", member.name, error)

    async def _freshen(self, requests: Sequence[EndpointRequest]) -> None:
        """Before somebody is on the default bridge: see that its range is still free.

        It is up only while it is needed; another engine may have taken its range meanwhile.
        """
        default = self._registry.default_bridge
        if all(self.resolve(each.network) != default for each in requests):
            return
        if self._names.default_bridge in self._host.bridges:
            return
        async with self._raising:
            ours = [
                subnet.range
                for each in self._registry
                for subnet in each.subnets
                if not each.is_default_bridge
            ]
            here = [self._names.default_bridge]
            busy = [*ours, *await self._worker.act(self._host.ranges, besides=here)]
            mine = self._registry.default_bridge.subnets[0].range
            if any(overlap(mine, each) for each in busy) and not self._registry.on(default.id):
                await self._move_default_bridge(busy)

    async def _move_default_bridge(self, busy: Sequence[AddressRange]) -> None:
        default = self._registry.default_bridge
        range_ = free_subnet(busy, self._own_pools())
        _log.warning("the default bridge moves to %s: its range is in use by others", range_)
        before = self._bridge(default)
        moved = replace(default, subnets=(Subnet(range=range_, pool=range_, gateway=range_[1]),))
        with self._db.transaction() as tx:
            rows.put_network(tx, moved)
        self._registry.put(moved)  # before the first wait: whoever comes now is on the new one
        if before:
            await self._worker.act(self._host.lower_bridge, before)


def _ranges(network: Network) -> list[AddressRange]:
    return [subnet.range for subnet in network.subnets]


def _meet(one: Network, other: Network) -> bool:
    return any(overlap(mine, theirs) for mine in _ranges(one) for theirs in _ranges(other))


def _event(action: str, network: Network) -> Event:
    attributes = {"name": network.name, "type": network.driver}
    return Event(type="network", action=action, actor=network.id, attributes=attributes)
