"""Containers that share host ports or names with others: from when on they get connections.

One with a health check has its turn while it is healthy; one without, once it listens on all the
ports that it shares, or on one that it exposes where it shares names only. Before it ends it
drains: others get the new connections, and it ends the ones that it has.
"""

import asyncio
from typing import Final

from knarr.container.health import HEALTHY, UNHEALTHY, probe_command
from knarr.container.model import Container
from knarr.container.watches import ContainerWatch
from knarr.ids import ContainerId
from knarr.kernel import sockets
from knarr.network import NetworkService, Turn
from knarr.network.requests import container_port
from knarr.spec.docker.health import Health

PORT_GROUP: Final = "io.knarr.port-group"
_COMPOSE: Final = "com.docker.compose."
_POLL_SECONDS: Final = 0.02
_SLOW_POLL_SECONDS: Final = 0.25
_EAGER_POLLS: Final = 250
_EXPOSED_SECONDS: Final = 10.0  # images expose what nobody listens on: that is not waited for
_QUIET_POLLS: Final = 5  # without a connection: one may be on its way
_QUIET_NAME_POLLS: Final = 25  # or somebody just asked for a name, and is to connect yet


def port_group(labels: dict[str, str]) -> str:
    """With whom a container shares the host ports that it names exactly; empty: with nobody.

    The containers of a Compose service do so without a word; others say it by a label.
    """
    if PORT_GROUP in labels:
        return labels[PORT_GROUP]
    project, service = labels.get(f"{_COMPOSE}project"), labels.get(f"{_COMPOSE}service")
    one_off = labels.get(f"{_COMPOSE}oneoff") == "True"
    return f"{project}/{service}" if project and service and not one_off else ""


class TurnWatch(ContainerWatch):
    """Tells the network room whose turn it is; that one stopped, that room knows by itself."""

    def __init__(self, networks: NetworkService, tasks: asyncio.TaskGroup) -> None:
        super().__init__(tasks)
        self._networks = networks

    async def begin(self, container: Container) -> None:
        """It runs. Nothing happens where it shares nothing."""
        if not self._takes_turns(container.id):
            return
        if probe_command(container.record.config) is not None:
            if container.state.health is not None:
                await self.probed(container.id, container.state.health)
            return
        ports = self._exposed(container)
        if self._networks.shared_by(container.id):
            self.watch(container.id, self._until_it_listens(container))
        elif ports and self._networks.shares_names(container.id):
            self.watch(container.id, self._until_one_listens(container, ports))
        else:
            await self._networks.take_turns(container.id, Turn.READY)

    def _takes_turns(self, container_id: ContainerId) -> bool:
        known = self._networks.takes_turns(container_id)
        return known or bool(self._networks.shared_by(container_id))

    async def probed(self, container_id: ContainerId, health: Health) -> None:
        """Its health check says something."""
        if not self._takes_turns(container_id):
            return
        if health.status == HEALTHY:
            await self._networks.take_turns(container_id, Turn.READY)
        elif health.status == UNHEALTHY:
            await self._networks.take_turns(container_id, Turn.WAITING)

    async def _until_it_listens(self, container: Container) -> None:
        ports = self._tcp_ports(container)
        polls = 0
        while not ports <= sockets.listening(container.state.pid):
            polls += 1
            await asyncio.sleep(_POLL_SECONDS if polls < _EAGER_POLLS else _SLOW_POLL_SECONDS)
        await self._networks.take_turns(container.id, Turn.READY)

    async def _until_one_listens(self, container: Container, ports: set[int]) -> None:
        for _ in range(round(_EXPOSED_SECONDS / _POLL_SECONDS)):
            if ports & sockets.listening(container.state.pid):
                break
            await asyncio.sleep(_POLL_SECONDS)
        await self._networks.take_turns(container.id, Turn.READY)

    def _exposed(self, container: Container) -> set[int]:
        exposed = map(container_port, container.record.config.exposed_ports or ())
        return {port for port, protocol in exposed if protocol == "tcp"}

    def _tcp_ports(self, container: Container) -> set[int]:
        shared = self._networks.shared_by(container.id)
        return {port.container_port for port in shared if port.protocol == "tcp"}

    async def pause(self, container: Container) -> None:
        """Frozen, it answers nobody."""
        self.end(container.id)
        await self._networks.take_turns(container.id, Turn.WAITING)

    async def drain(self, container: Container, seconds: float) -> int:
        """New connections go to others; wait until it has none, at most so many seconds.

        Returns how many it still has. Where nobody else can take over, it goes on and nothing is
        waited for.
        """
        await self._networks.take_turns(container.id, Turn.DRAINING)
        ports, pid = self._tcp_ports(container), container.state.pid
        by_name = self._networks.is_relieved(container.id)
        if by_name:
            ports |= sockets.listening(pid)
        if self._networks.gets_connections(container.id) or not (ports or by_name):
            return sockets.connections(pid, ports)
        wanted = _QUIET_NAME_POLLS if by_name else _QUIET_POLLS
        deadline = asyncio.get_running_loop().time() + seconds
        quiet = 0
        while True:
            left = sockets.connections(pid, ports)
            quiet = 0 if left else quiet + 1
            if quiet >= wanted or asyncio.get_running_loop().time() >= deadline:
                return left
            await asyncio.sleep(_POLL_SECONDS)

    async def admit(self, container: Container) -> None:
        """It does not drain any more."""
        await self._networks.take_turns(container.id, Turn.WAITING)
        await self.begin(container)
