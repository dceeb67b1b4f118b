"""Containers that share host ports with others: from when on they get connections, and until when.

One with a health check has its turn while it is healthy; one without, once it listens on all the
ports that it shares. Before it ends it drains: others get the new connections, and it ends the ones
that it has.
"""

import asyncio
from typing import Final

from knarr.container.health import HEALTHY, UNHEALTHY, probe_command
from knarr.container.model import Container
from knarr.container.watches import ContainerWatch
from knarr.ids import ContainerId
from knarr.kernel import sockets
from knarr.network import NetworkService, Turn
from knarr.spec.docker.health import Health

PORT_GROUP: Final = "io.knarr.port-group"
_COMPOSE: Final = "com.docker.compose."
_POLL_SECONDS: Final = 0.02
_SLOW_POLL_SECONDS: Final = 0.25
_EAGER_POLLS: Final = 250
_QUIET_POLLS: Final = 5  # without a connection: one may be on its way


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
        """It runs. Nothing happens where it shares no port."""
        if not self._networks.shared_by(container.id):
            return
        if probe_command(container.record.config) is not None:
            if container.state.health is not None:
                await self.probed(container.id, container.state.health)
            return
        self.watch(container.id, self._until_it_listens(container))

    async def probed(self, container_id: ContainerId, health: Health) -> None:
        """Its health check says something."""
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
        if self._networks.gets_connections(container.id):
            return sockets.connections(pid, ports)
        deadline = asyncio.get_running_loop().time() + seconds
        quiet = 0
        while True:
            left = sockets.connections(pid, ports)
            quiet = 0 if left else quiet + 1
            if quiet >= _QUIET_POLLS or asyncio.get_running_loop().time() >= deadline:
                return left
            await asyncio.sleep(_POLL_SECONDS)

    async def admit(self, container: Container) -> None:
        """It does not drain any more."""
        await self._networks.take_turns(container.id, Turn.WAITING)
        await self.begin(container)
