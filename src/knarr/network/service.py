"""The verbs of networks: made, shown, removed; containers plugged in and out.

A container is plugged in before its process starts and out after it ended (plugs.py). What is in
place is in memory and in rows; ``start`` compares both with the kernel and repairs what a crash
left (standing.py). The default bridge moves out of others' way (defaultbridge.py); names are served
by naming.py.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from knarr.errors import Conflict, Forbidden, NotFound, Unsupported
from knarr.events import Event
from knarr.ids import ContainerId, NetworkId, new_hex
from knarr.network import creation, documents, lookout, rows
from knarr.network.creation import Facts
from knarr.network.defaultbridge import DefaultBridge
from knarr.network.endpoints import check_request
from knarr.network.host import HostNetwork, Sandbox
from knarr.network.hostfiles import HostResolvConf
from knarr.network.interface_settings import OPTION_SETTINGS, interface_settings
from knarr.network.ipam import local_range, overlap
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
)
from knarr.network.nameserver import Nameserver, Sockets
from knarr.network.naming import Naming
from knarr.network.plan import Names
from knarr.network.plugs import Plugs
from knarr.network.ports import PortTable
from knarr.network.registry import NetworkRegistry
from knarr.network.relays import Relays
from knarr.network.rulewatch import RuleWatch
from knarr.network.selection import NetworkFilters, matches
from knarr.network.settings import NetworkSettings
from knarr.network.sharing import Backend, Shares, Turn
from knarr.network.standing import Standing
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
_LOOPBACK: Final = "127.0.0.1"


class NetworkService:
    """Networks of one engine. ``start`` before anything else, ``close`` at the end."""

    def __init__(
        self,
        db: Database,
        run_root: str,
        settings: NetworkSettings = NetworkSettings(),  # noqa: B008
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
        self._plugs = Plugs(
            db=db,
            names=self._names,
            registry=self._registry,
            ports=self._ports,
            shares=self._shares,
            host=self._host,
            worker=self._worker,
            bind_address=settings.bind_address,
            uplink_mtu=0,
        )
        self._standing = Standing(
            names=self._names,
            registry=self._registry,
            ports=self._ports,
            shares=self._shares,
            links=self._links,
            host=self._host,
            worker=self._worker,
            linger_seconds=settings.linger_seconds,
        )
        self._default = DefaultBridge(
            db=db,
            names=self._names,
            settings=settings,
            registry=self._registry,
            host=self._host,
            worker=self._worker,
            standing=self._standing,
        )
        self._nameserver = Nameserver(self._registry.directory)
        self._naming = Naming(
            db, self._registry, self._nameserver, sockets, resolv_conf or HostResolvConf()
        )
        self._watch = RuleWatch(lambda: self._worker.later(self._standing.mend))

    # Life

    async def start(self, alive: Collection[ContainerId] = (), links: Sequence[Link] = ()) -> None:
        """Read the rows, make the predefined networks, put right what a crash left.

        alive: the containers that run on, as the keeper reports. All others are unplugged.
        links: the legacy links of those.
        """
        mtu = await self._worker.act(self._host.uplink_mtu)
        self._plugs = replace(self._plugs, uplink_mtu=mtu)
        self._standing.uplink_mtu = mtu
        for network in rows.all_networks(self._db):
            self._registry.put(network)
        if not list(self._registry):
            await self._default.make_predefined(mtu)
        self._take_over(set(alive))
        self._links.put(links)
        self._default.set_icc()
        await self._worker.act(self._standing.restore)
        self._watch.start()
        for member in rows.all_members(self._db):
            await self._naming.serve_again(member, alive)

    async def close(self) -> None:
        """Containers that run stay plugged in: the next daemon takes over."""
        self._watch.close()
        self._nameserver.close()
        await self._standing.close()
        await self._worker.close()
        self._ports.close()
        self._host.close()

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

    def _shown(self, endpoints: Sequence[Endpoint], ports: Iterable[PublishedPort]) -> Plugged:
        bindings: dict[str, tuple[PortBinding, ...]] = {}
        for port in ports:
            bindings[port.key] = (*bindings.get(port.key, ()), port.binding)
        return Plugged(
            networks={self._registry[each.network].name: each.settings for each in endpoints},
            ports=bindings,
            kernel_settings={
                name: value
                for each in endpoints
                for name, value in interface_settings(each.settings, each.interface).items()
            },
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
        async with self._default.moving:
            yielding = self._default.yielding()
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
            self._standing.check_parent(network)
            if yielding and _meet(network, yielding):
                await self._default.move([*facts.busy, *_ranges(network)])
            await self._standing.put_up(network)
            try:
                with self._db.transaction() as tx:
                    rows.put_network(tx, network)
                    tx.emit(_event("create", network))
            except BaseException:
                await self._standing.take_down(network)
                raise
            self._registry.put(network)
        return NetworkCreated(id=network.id)

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
        await self._standing.take_down(network)
        with self._db.transaction() as tx:
            rows.remove_network(tx, network.id)
            tx.emit(_event("destroy", network))
        self._standing.settle()

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
        await self._default.freshen(requests)
        try:
            await self._plugs.plug(member, sandbox, requests, ports)
            await self._open_links(member.id)
            await self._naming.serve(member)
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
        self._standing.settle()

    async def connect(
        self, member: Member, sandbox: Sandbox, request: EndpointRequest
    ) -> EndpointSettings:
        """Put a running container on one more network. Raises Forbidden when it is on it.

        Raises Unsupported where its interface is to have settings of the kernel's.
        """
        if interface_settings(request.settings, interface=""):
            raise Unsupported(
                f"{OPTION_SETTINGS} are written when a container starts: stop it, connect it to"
                " the network, and start it again"
            )
        await self._default.freshen([request])
        endpoint = await self._plugs.connect(member, sandbox, request)
        await self._open_links(member.id)
        await self._naming.serve(member)
        return endpoint.settings

    async def disconnect(self, member: Member, sandbox: Sandbox | None, network: str) -> None:
        """Take a running container off one network; without ``sandbox`` its routes stay as are."""
        leaving = self.resolve(network)
        if leaving.is_default_bridge:
            await self._close_links(member.id)
        await self._plugs.disconnect(member, sandbox, leaving)
        self._standing.settle()

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


def _ranges(network: Network) -> list[AddressRange]:
    return [subnet.range for subnet in network.subnets]


def _meet(one: Network, other: Network) -> bool:
    return any(overlap(mine, theirs) for mine in _ranges(one) for theirs in _ranges(other))


def _event(action: str, network: Network) -> Event:
    attributes = {"name": network.name, "type": network.driver}
    return Event(type="network", action=action, actor=network.id, attributes=attributes)
