"""What of the networks is to be up on the host: bridges, parents, rules."""

import asyncio
import errno
import logging
from collections.abc import Sequence

from knarr.errors import Conflict, KnarrError, Unsupported
from knarr.network.drivers import parent_plan, standing_bridge
from knarr.network.host import HostNetwork
from knarr.network.linking import Links
from knarr.network.model import Network
from knarr.network.plan import BridgePlan, Entry, Names, ParentPlan, port_entries
from knarr.network.plugs import port_settings
from knarr.network.ports import PortTable
from knarr.network.registry import NetworkRegistry
from knarr.network.sharing import Shares
from knarr.network.worker import Worker

_log = logging.getLogger("knarr.network")


class Standing:
    """Everything that is up while containers need it; always as the registry says."""

    def __init__(
        self,
        *,
        names: Names,
        registry: NetworkRegistry,
        ports: PortTable,
        shares: Shares,
        links: Links,
        host: HostNetwork,
        worker: Worker,
        linger_seconds: float,
    ) -> None:
        self._names = names
        self._registry = registry
        self._ports = ports
        self._shares = shares
        self._links = links
        self._host = host
        self._worker = worker
        self._linger_seconds = linger_seconds
        self._closing: asyncio.TimerHandle | None = None
        self.uplink_mtu = 0  # bytes; known once the service has started

    async def close(self) -> None:
        """Lower at once what nobody needs."""
        if self._closing:
            self._closing.cancel()
            self._closing = None
        await self._worker.act(self._lower_unused)

    def restore(self) -> None:
        """In the worker: the kernel's state as the rows say."""
        standing = self.bridges()
        links = [each.link for each in self._registry.endpoints() if each.link]
        parents = [parent for each in self._registry if (parent := self.parent(each))]
        self._host.sweep(
            [*links, *(bridge.name for bridge in standing), *(parent.name for parent in parents)]
        )
        for parent in parents:
            try:
                self._host.raise_parent(parent)
            except OSError as error:
                _log.warning("a network has no parent: %s", error)
        if standing:
            self._host.adopt(standing, self.entries())
            self._host.set_ports(port_settings(self._registry, self._ports))
        else:
            self._host.lower_table()

    def entries(self) -> Sequence[Entry]:
        published = [*port_entries(self._ports.all()), *self._shares.entries()]
        return [*published, *self._links.entries()]

    def bridges(self) -> Sequence[BridgePlan]:
        """The bridges that are to be up: the default one only while somebody is on it."""
        return [
            bridge
            for network in self._registry
            if (bridge := self.bridge(network))
            and (not network.is_default_bridge or self._registry.on(network.id))
        ]

    def parent(self, network: Network) -> ParentPlan | None:
        return parent_plan(network, self._names)

    def bridge(self, network: Network) -> BridgePlan | None:
        return standing_bridge(network, self._names, uplink_mtu=self.uplink_mtu)

    def mend(self) -> None:
        self._host.mend(self.bridges(), self.entries())

    def settle(self) -> None:
        """Soon after the last container went, take down what only containers need."""
        if self._closing:
            self._closing.cancel()
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(self._linger_seconds, self._lower)

    def _lower(self) -> None:
        self._closing = None
        self._worker.later(self._lower_unused)

    def _lower_unused(self) -> None:
        """In the worker, where no container is being plugged in meanwhile."""
        default = self._registry.default_bridge
        if not self._registry.on(default.id) and (bridge := self.bridge(default)):
            self._host.lower_bridge(bridge)
        if not self.bridges():
            self._host.lower_table()

    # One network

    def check_parent(self, network: Network) -> None:
        """Two networks on one parent would be one wire. Raises Conflict in Docker's words."""
        wanted = self.parent(network)
        for each in self._registry if wanted else ():
            theirs = self.parent(each)
            if theirs and wanted and theirs.name == wanted.name:
                raise Conflict(
                    f"network {each.name} is already using parent interface {wanted.name}"
                )

    async def put_up(self, network: Network) -> None:
        """The network's bridge, or what its links will hang on."""
        try:
            if bridge := self.bridge(network):
                await self._worker.act(self._host.raise_bridge, bridge)
            elif parent := self.parent(network):
                await self._worker.act(self._host.raise_parent, parent)
                await self._worker.act(self._host.try_parent, parent, self._names.trial(network.id))
        except OSError as error:
            await self.take_down(network)
            kind = Unsupported if error.errno == errno.EOPNOTSUPP else KnarrError
            raise kind(f"failed to create network {network.name}: {error}") from error

    async def take_down(self, network: Network) -> None:
        if bridge := self.bridge(network):
            await self._worker.act(self._host.lower_bridge, bridge)
        elif parent := self.parent(network):
            await self._worker.act(self._host.lower_parent, parent)
