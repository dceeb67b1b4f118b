"""The default bridge: made with the other predefined networks, moved out of the way of others."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from knarr.ids import NetworkId, new_hex
from knarr.network import creation, rows
from knarr.network.host import HostNetwork
from knarr.network.ipam import free_subnet, overlap
from knarr.network.model import AddressRange, EndpointRequest, Network, Subnet
from knarr.network.plan import Names, is_isolated
from knarr.network.registry import NetworkRegistry
from knarr.network.settings import NetworkSettings
from knarr.network.standing import Standing
from knarr.network.worker import Worker
from knarr.store import Database

_log = logging.getLogger("knarr.network")


class DefaultBridge:
    """It is up only while it is needed, so its range is not always its own.

    moving: held while ranges are chosen.
    """

    def __init__(
        self,
        *,
        db: Database,
        names: Names,
        settings: NetworkSettings,
        registry: NetworkRegistry,
        host: HostNetwork,
        worker: Worker,
        standing: Standing,
    ) -> None:
        self._db = db
        self._names = names
        self._settings = settings
        self._registry = registry
        self._host = host
        self._worker = worker
        self._standing = standing
        self.moving = asyncio.Lock()

    async def make_predefined(self, mtu: int) -> None:
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

    def set_icc(self) -> None:
        """Another ``--icc`` than that of the daemon before."""
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

    def yielding(self) -> Network | None:
        """The default bridge, while nobody is on it: whoever asks for its range gets it.

        Docker's is always the same, and people choose others; ours moves when that one is taken.
        """
        default = self._registry.default_bridge
        return None if self._registry.on(default.id) else default

    async def freshen(self, requests: Sequence[EndpointRequest]) -> None:
        """Before somebody is on it: see that its range is still free.

        It is up only while it is needed; another engine may have taken its range meanwhile.
        """
        default = self._registry.default_bridge
        if all(self._registry.resolve(each.network) != default for each in requests):
            return
        if self._names.default_bridge in self._host.bridges:
            return
        async with self.moving:
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
                await self.move(busy)

    async def move(self, busy: Sequence[AddressRange]) -> None:
        default = self._registry.default_bridge
        range_ = free_subnet(busy, self._own_pools())
        _log.warning("the default bridge moves to %s: its range is in use by others", range_)
        before = self._standing.bridge(default)
        moved = replace(default, subnets=(Subnet(range=range_, pool=range_, gateway=range_[1]),))
        with self._db.transaction() as tx:
            rows.put_network(tx, moved)
        self._registry.put(moved)  # before the first wait: whoever comes now is on the new one
        if before:
            await self._worker.act(self._host.lower_bridge, before)
