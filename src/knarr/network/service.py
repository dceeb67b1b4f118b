"""The verbs of networks: made, shown, removed; containers plugged in and out.

A container is plugged in before its process starts and out after it ended. What is in place is in
memory and in rows; ``start`` compares both with the kernel and repairs what a crash left.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain
from typing import Final, ParamSpec, TypeVar

from knarr.errors import Conflict, Forbidden, InvalidArgument, KnarrError, NotFound
from knarr.events import Event
from knarr.ids import ContainerId, EndpointId, NetworkId, is_hex_prefix, new_hex
from knarr.network import creation, documents, rows
from knarr.network.creation import Facts
from knarr.network.endpoints import (
    Draft,
    bridge_endpoint_plan,
    check_request,
    endpoint,
    gateway_endpoint,
    interface_names,
    wanted_addresses,
)
from knarr.network.host import HostNetwork, Sandbox
from knarr.network.ipam import DEFAULT_POOLS, Pool, free_subnet, local_range
from knarr.network.model import (
    OPTION_HOST_BINDING,
    Address,
    AddressRange,
    Endpoint,
    EndpointRequest,
    Member,
    Network,
    Plugged,
    PortRequest,
    PublishedPort,
)
from knarr.network.plan import (
    BridgePlan,
    EndpointPlan,
    Names,
    bridge_plan,
    mtu_of,
    port_entries,
)
from knarr.network.ports import PortTable, PortTaken
from knarr.network.selection import NetworkFilters, matches
from knarr.spec.docker.container import PortBinding
from knarr.spec.docker.network import (
    NetworkCreate,
    NetworkCreated,
    NetworkInspect,
    NetworksPruned,
)
from knarr.store import Database

_log = logging.getLogger("knarr.network")
_LINGER_SECONDS: Final = 10.0
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What an engine's configuration says of networks.

    bind_address: where published ports are bound that name no address; ``127.0.0.1`` keeps them
    on this machine. pools: (range, prefix length) of subnets to choose from.
    linger_seconds: how long the default bridge and the ruleset outlive the last container.
    """

    bind_address: str = "0.0.0.0"
    pools: Sequence[tuple[AddressRange, int]] = DEFAULT_POOLS
    linger_seconds: float = _LINGER_SECONDS


class NetworkService:
    """Networks of one engine. ``start`` before anything else, ``close`` at the end."""

    def __init__(
        self, db: Database, run_root: str, settings: NetworkSettings = NetworkSettings()
    ) -> None:
        self._db = db
        self._settings = settings
        self._names = Names.of(str(run_root))
        self._seed = str(run_root).encode()
        self._host = HostNetwork(self._names)
        self._worker = ThreadPoolExecutor(1, "links")
        self._reaper = ThreadPoolExecutor(1, "links-removal")
        self._networks: dict[NetworkId, Network] = {}
        self._pools: dict[NetworkId, list[Pool]] = {}
        self._endpoints: dict[ContainerId, Sequence[Endpoint]] = {}
        self._ports = PortTable()
        self._uplink_mtu = 0
        self._closing: asyncio.TimerHandle | None = None
        self._background: set[asyncio.Future[None]] = set()

    # Life

    async def start(self, alive: Collection[ContainerId] = ()) -> None:
        """Read the rows, make the predefined networks, put right what a crash left.

        alive: the containers that run on, as the keeper reports. All others are unplugged.
        """
        self._uplink_mtu = await self._act(self._host.uplink_mtu)
        for network in rows.all_networks(self._db):
            self._know(network)
        if not self._networks:
            await self._make_predefined()
        gone = self._take_over(set(alive))
        self._forget_rows(gone)
        await self._act(self._restore)
        if not self._is_busy():
            await self._act(self._host.lower_table)

    async def close(self) -> None:
        """Containers that run stay plugged in: the next daemon takes over."""
        if self._closing:
            self._closing.cancel()
            self._closing = None
            if not self._is_busy():
                await self._act(self._lower_all)
        if self._background:
            await asyncio.wait(self._background)
        self._worker.shutdown()
        self._reaper.shutdown()
        for container in list(self._endpoints):
            self._ports.release(container)
        self._host.close()

    async def _make_predefined(self) -> None:
        now_ns = time.time_ns()
        busy = await self._act(self._host.ranges)
        bridge = creation.default_bridge(
            NetworkId(new_hex()),
            now_ns,
            bridge=self._names.default_bridge,
            range_=free_subnet(busy, self._own_pools()),
            mtu=min(1500, self._uplink_mtu or 1500),
        )
        plain = (("host", "host"), ("none", "null"))
        others = [
            creation.without_addresses(NetworkId(new_hex()), now_ns, name=name, driver=driver)
            for name, driver in plain
        ]
        with self._db.transaction() as tx:
            for network in (bridge, *others):
                rows.put_network(tx, network)
                self._know(network)

    def _own_pools(self) -> Sequence[tuple[AddressRange, int]]:
        """Engines side by side begin at different ranges, so that they seldom meet."""
        pools = list(self._settings.pools)
        if self._names.table == "knarr" or len(pools) < 3:
            return pools
        turn = int(self._names.token, 16) % (len(pools) - 1)
        return [*pools[turn:-1], *pools[:turn], pools[-1]]

    def _know(self, network: Network) -> None:
        self._networks[network.id] = network
        self._pools[network.id] = [Pool(subnet) for subnet in network.subnets]

    def _take_over(self, alive: set[ContainerId]) -> Sequence[Endpoint]:
        """Endpoints of living containers become ours again; returns those of the others."""
        gone: list[Endpoint] = []
        for each in rows.all_endpoints(self._db):
            if each.container not in alive:
                gone.append(each)
                continue
            before = self._endpoints.get(each.container, ())
            self._endpoints[each.container] = [*before, each]
            for text in each.addresses:
                self._pool(each.network, ip_address(text)).take(ip_address(text))
        for container, ports in rows.all_ports(self._db).items():
            if container in alive:
                for complaint in self._ports.restore(container, ports):
                    _log.warning("a published port is taken: %s", complaint)
        return gone

    def _forget_rows(self, gone: Sequence[Endpoint]) -> None:
        with self._db.transaction() as tx:
            rows.remove_endpoints(tx, gone)
            for container in {each.container for each in gone}:
                rows.remove_ports(tx, container)

    def _restore(self) -> None:
        """In the worker: the kernel's state as the rows say."""
        wanted = [plan for network in self._networks.values() if (plan := self._standing(network))]
        links = {each.link for each in chain(*self._endpoints.values()) if each.link}
        self._host.sweep({*links, *(each.name for each in wanted)})
        if wanted:
            self._host.adopt(wanted, port_entries(self._ports.all()))

    def _standing(self, network: Network) -> BridgePlan | None:
        """The bridge that should be up now; the default one is only while somebody is on it."""
        if network.driver != "bridge" or network.config_only:
            return None
        if network.is_default_bridge and not self._on(network.id):
            return None
        return self._bridge(network)

    def _bridge(self, network: Network) -> BridgePlan:
        return bridge_plan(network, self._names, mtu=self._mtu(network))

    def _mtu(self, network: Network) -> int:
        return mtu_of(network, uplink=self._uplink_mtu)

    async def _act(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """In the worker thread. Cancelled or not, it ends before this returns."""
        future = asyncio.get_running_loop().run_in_executor(
            self._worker, lambda: work(*args, **kwargs)
        )
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    # Looking

    def resolve(self, ref: str) -> Network:
        """By name, ID, or an ID's unambiguous beginning. Raises NotFound, InvalidArgument."""
        for network in self._networks.values():
            if ref in {network.name, network.id}:
                return network
        found = [each for each in self._networks.values() if each.id.startswith(ref)]
        if len(found) > 1 and is_hex_prefix(ref):
            raise InvalidArgument(
                f"network {ref} is ambiguous ({len(found)} matches found on ID prefix)"
            )
        if not found or not is_hex_prefix(ref):
            raise NotFound(f"network {ref} not found")
        return found[0]

    def inspect(self, ref: str) -> NetworkInspect:
        network = self.resolve(ref)
        return documents.inspect(network, self._on(network.id))

    def list(self, filters: NetworkFilters | None = None) -> Sequence[NetworkInspect]:
        """Newest first, as Docker's API has them."""
        wanted = filters or {}
        return [
            documents.inspect(network, ())
            for network in self._newest_first()
            if matches(network, wanted, in_use=bool(self._on(network.id)))
        ]

    def _newest_first(self) -> Sequence[Network]:
        return sorted(self._networks.values(), key=lambda each: -each.created_ns)

    def plugged(self, container: ContainerId) -> Plugged:
        """What a container has now; empty when it is not plugged in."""
        return self._shown(self._endpoints.get(container, []), self._ports.ports_of(container))

    def _on(self, network: NetworkId) -> Sequence[Endpoint]:
        return [each for each in chain(*self._endpoints.values()) if each.network == network]

    def _shown(self, endpoints: Iterable[Endpoint], ports: Iterable[PublishedPort]) -> Plugged:
        bindings: dict[str, tuple[PortBinding, ...]] = {}
        for port in ports:
            bindings[port.key] = (*bindings.get(port.key, ()), port.binding)
        return Plugged(
            networks={self._networks[each.network].name: each.settings for each in endpoints},
            ports=bindings,
        )

    def host_gateways(self) -> tuple[str, ...]:
        """What ``host-gateway`` stands for: the host's address on the default bridge."""
        bridge = next(each for each in self._networks.values() if each.is_default_bridge)
        return tuple(str(each.gateway) for each in bridge.subnets if each.gateway is not None)

    # Making and removing

    async def create(self, body: NetworkCreate) -> NetworkCreated:
        """A network of one's own. Raises Conflict, Forbidden, InvalidArgument in Docker's words."""
        if any(each.name == body.name for each in self._networks.values()):
            raise Conflict(f"network with name {body.name} already exists")
        ours = [subnet.range for each in self._networks.values() for subnet in each.subnets]
        facts = Facts(
            id=NetworkId(new_hex()),
            now_ns=time.time_ns(),
            busy=[*ours, *await self._act(self._host.ranges)],
            ours=ours,
            local_range=local_range(self._seed),
            pools=self._settings.pools,
        )
        network = creation.new_network(body, facts)
        if network.driver == "bridge" and not network.config_only:
            await self._raise(network)
        try:
            with self._db.transaction() as tx:
                rows.put_network(tx, network)
                tx.emit(self._event("create", network))
        except BaseException:
            await self._act(self._host.lower_bridge, self._bridge(network))
            raise
        self._know(network)
        return NetworkCreated(id=network.id)

    async def _raise(self, network: Network) -> None:
        try:
            await self._act(self._host.raise_bridge, self._bridge(network))
        except OSError as error:
            raise KnarrError(
                f"failed to create the bridge of network {network.name}: {error}"
            ) from error

    async def remove(self, ref: str) -> None:
        """Raises Forbidden for a predefined network and for one that containers are on."""
        network = self.resolve(ref)
        if network.is_predefined:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if active := self._on(network.id):
            names = ", ".join(
                f'name:"{each.container_name}" id:"{each.id[:12]}"' for each in active
            )
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id}"
                f" has active endpoints ({names})"
            )
        del self._networks[network.id]
        if network.driver == "bridge" and not network.config_only:
            await self._act(self._host.lower_bridge, self._bridge(network))
        del self._pools[network.id]
        with self._db.transaction() as tx:
            rows.remove_network(tx, network.id)
            tx.emit(self._event("destroy", network))
        self._settle()

    async def prune(self, filters: NetworkFilters | None = None) -> NetworksPruned:
        """Remove the networks that no container is on."""
        removed = []
        for network in self._newest_first():
            unused = not network.is_predefined and not self._on(network.id)
            if unused and matches(network, filters or {}, in_use=False):
                await self.remove(network.id)
                removed.append(network.name)
        with self._db.transaction() as tx:
            tx.emit(Event(type="network", action="prune", actor="", attributes={"reclaimed": "0"}))
        return NetworksPruned(networks_deleted=tuple(removed))

    def _event(self, action: str, network: Network, container: str = "") -> Event:
        attributes = {"name": network.name, "type": network.driver}
        if container:
            attributes["container"] = container
        return Event(type="network", action=action, actor=network.id, attributes=attributes)

    # Plugging in

    def check(self, requests: Sequence[EndpointRequest]) -> None:
        """At ``create``: refuse what will not work. Raises NotFound, InvalidArgument."""
        for request in requests:
            check_request(self.resolve(request.network), request.settings)

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
        drafts, endpoints = self._draft(member, requests, used=())
        undo = self._undo(member.id, drafts, endpoints)
        self._endpoints[member.id] = endpoints
        try:
            chosen = self._publish(member, endpoints, ports)
            await self._connect(sandbox, drafts, endpoints, (), chosen)
            with self._db.transaction() as tx:
                rows.put_endpoints(tx, endpoints)
                rows.put_ports(tx, member.id, chosen)
                for each in endpoints:
                    tx.emit(self._event("connect", self._networks[each.network], member.id))
        except BaseException:
            undo()
            self._ports.release(member.id)
            raise
        return self._shown(endpoints, chosen)

    def _draft(
        self, member: Member, requests: Sequence[EndpointRequest], *, used: Iterable[str]
    ) -> tuple[Sequence[Draft], Sequence[Endpoint]]:
        """Networks looked up, addresses taken, names given. Takes nothing if it raises."""
        drafts: list[Draft] = []
        try:
            for request in requests:
                network = self.resolve(request.network)
                check_request(network, request.settings)
                draft = Draft(
                    id=EndpointId(new_hex()), network=network, request=request, addresses=()
                )
                drafts.append(draft)
                drafts[-1] = replace(draft, addresses=self._addresses(network, request))
        except BaseException:
            self._give_back(drafts)
            raise
        names = interface_names(drafts, used)
        endpoints = [
            endpoint(draft, member, self._names, interface_name=name)
            for draft, name in zip(drafts, names, strict=True)
        ]
        return drafts, endpoints

    def _addresses(self, network: Network, request: EndpointRequest) -> tuple[Address, ...]:
        """One of each family that the network has: those wished for, or any."""
        wished = {each.version: each for each in wanted_addresses(request.settings)}
        taken: list[Address] = []
        try:
            for version in (4, 6):
                if version in wished:
                    wish = wished[version]
                    taken.append(self._pool(network.id, wish).take(wish))
                elif any(each.range.version == version for each in network.subnets):
                    taken.append(self._any_address(network, version))
        except BaseException:
            for address in taken:
                self._pool(network.id, address).give_back(address)
            raise
        return tuple(taken)

    def _any_address(self, network: Network, version: int) -> Address:
        for subnet, pool in zip(network.subnets, self._pools[network.id], strict=True):
            if subnet.range.version != version:
                continue
            try:
                return pool.take()
            except Conflict:
                continue
        raise Conflict(
            f"no available IPv{version} addresses on this network's address pools:"
            f" {network.name} ({network.id})"
        )

    def _pool(self, network: NetworkId, address: Address) -> Pool:
        subnets = zip(self._networks[network].subnets, self._pools[network], strict=True)
        return next(pool for subnet, pool in subnets if address in subnet.range)

    def _give_back(self, drafts: Iterable[Draft]) -> None:
        for draft in drafts:
            for address in draft.addresses:
                self._pool(draft.network.id, address).give_back(address)

    def _undo(
        self, container: ContainerId, drafts: Sequence[Draft], endpoints: Sequence[Endpoint]
    ) -> Callable[[], None]:
        def undo() -> None:
            self._give_back(drafts)
            left = [each for each in self._endpoints.get(container, []) if each not in endpoints]
            if left:
                self._endpoints[container] = left
            else:
                self._endpoints.pop(container, None)
            self._reap([each.link for each in endpoints if each.link])
            self._settle()

        return undo

    def _publish(
        self, member: Member, endpoints: Sequence[Endpoint], ports: Sequence[PortRequest]
    ) -> tuple[PublishedPort, ...]:
        """Hold the host's ports; they lead to the endpoint that has the default gateway."""
        target = gateway_endpoint(endpoints, self._networks, version=4) or gateway_endpoint(
            endpoints, self._networks, version=6
        )
        if not ports or target is None:
            return ()
        network = self._networks[target.network]
        four = network.options.get(OPTION_HOST_BINDING) or ""
        if four in {"", "0.0.0.0"}:
            four = self._settings.bind_address
        six = IPv6Address("::") if four == "0.0.0.0" else IPv6Address("::1")
        targets = [ip_address(text) for text in target.addresses]
        try:
            return self._ports.claim(member.id, ports, targets, (IPv4Address(four), six))
        except PortTaken as error:
            raise KnarrError(
                "driver failed programming external connectivity on endpoint"
                f" {member.name} ({target.id}): {error}"
            ) from error

    async def _connect(
        self,
        sandbox: Sandbox | None,
        drafts: Sequence[Draft],
        endpoints: Sequence[Endpoint],
        present: Sequence[Endpoint],
        ports: Sequence[PublishedPort],
    ) -> None:
        if sandbox is None:
            return
        bridged = [draft.network for draft in drafts if draft.network.driver == "bridge"]
        plans = self._plans(endpoints, present, hairpin=bool(ports))
        bridges = [self._bridge(self._networks[network.id]) for network in bridged]
        try:
            await self._act(self._host.plug, sandbox, bridges, plans, port_entries(ports))
        except OSError as error:
            raise KnarrError(f"failed to set up container networking: {error}") from error

    def _plans(
        self, endpoints: Sequence[Endpoint], present: Sequence[Endpoint], *, hairpin: bool
    ) -> Sequence[EndpointPlan]:
        gateways = {
            version: gateway_endpoint([*present, *endpoints], self._networks, version=version)
            for version in (4, 6)
        }
        plans = []
        for each in endpoints:
            network = self._networks[each.network]
            if network.driver != "bridge":
                continue
            plans.append(
                bridge_endpoint_plan(
                    each,
                    network,
                    bridge=self._names.bridge(network),
                    mtu=self._mtu(network),
                    gateways=[v for v, chosen in gateways.items() if chosen == each],
                    hairpin=hairpin,
                )
            )
        return plans

    # Unplugging

    async def unplug(self, container: ContainerId) -> None:
        """Off all networks, ports free again. Content when it was not plugged in."""
        endpoints = self._endpoints.get(container, [])
        entries = port_entries(self._ports.ports_of(container))
        links = [each.link for each in endpoints if each.link]
        if links or entries:
            await self._act(self._host.unplug, links, entries)
        self._endpoints.pop(container, None)
        self._ports.release(container)
        with self._db.transaction() as tx:
            rows.remove_endpoints(tx, endpoints)
            rows.remove_ports(tx, container)
            for each in endpoints:
                tx.emit(self._event("disconnect", self._networks[each.network], container))
        for each in endpoints:
            for text in each.addresses:
                self._pool(each.network, ip_address(text)).give_back(ip_address(text))
        self._reap(links)
        self._settle()

    def _reap(self, links: Sequence[str]) -> None:
        """Take links away without waiting for it."""
        if not links:
            return
        future = asyncio.get_running_loop().run_in_executor(self._reaper, self._host.reap, links)
        self._background.add(future)
        future.add_done_callback(self._reaped)

    def _reaped(self, future: "asyncio.Future[None]") -> None:
        self._background.discard(future)
        if not future.cancelled() and (error := future.exception()):
            _log.warning("a link could not be removed: %s", error)

    # When nobody is left

    def _is_busy(self) -> bool:
        return any(self._standing(each) for each in self._networks.values())

    def _settle(self) -> None:
        """Soon after the last container went, take down what only containers need."""
        if self._closing:
            self._closing.cancel()
            self._closing = None
        default = next(each for each in self._networks.values() if each.is_default_bridge)
        if self._on(default.id):
            return
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(self._settings.linger_seconds, self._lower)

    def _lower(self) -> None:
        self._closing = None
        future = asyncio.get_running_loop().run_in_executor(self._worker, self._lower_all)
        self._background.add(future)
        future.add_done_callback(self._reaped)

    def _lower_all(self) -> None:
        """In the worker, where no container is being plugged in meanwhile."""
        for network in list(self._networks.values()):
            if network.is_default_bridge and not self._on(network.id):
                self._host.lower_bridge(self._bridge(network))
        if not self._is_busy():
            self._host.lower_table()
