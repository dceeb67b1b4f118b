"""Who keeps an eye on containers with a health check, as long as they run."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from knarr.container.exec import ExecService
from knarr.container.health import Probed, probe_command, watch
from knarr.container.model import Container
from knarr.container.watches import ContainerWatch
from knarr.ids import ContainerId
from knarr.spec.docker.health import Health
from knarr.times import rfc3339

_log = logging.getLogger("knarr.container")

Told = Callable[[ContainerId, Health], Awaitable[None]]


async def _nobody(_container_id: ContainerId, _health: Health) -> None:
    """Until somebody listens."""


class HealthWatch(ContainerWatch):
    """One task for each running container that has a check."""

    def __init__(self, execs: ExecService, tasks: asyncio.TaskGroup) -> None:
        super().__init__(tasks)
        self._execs = execs
        self._told: Told = _nobody

    def listen(self, told: Told) -> None:
        """``told`` hears of every probe from now on."""
        self._told = told

    def begin(self, container: Container) -> None:
        """From now on it is probed. Nothing happens where there is no check."""
        if probe_command(container.record.config) is None:
            return
        self.watch(container.id, self._probe(container))

    async def _probe(self, container: Container) -> None:
        async def run(command: tuple[str, ...], seconds: float) -> Probed:
            return await self._execs.probe(container.id, command, seconds)

        try:
            async for health in watch(
                container.record.config,
                started_ns=container.state.started_ns,
                run=run,
                now_ns=time.time_ns,
                wait=asyncio.sleep,
                timestamp=rfc3339,
                before=container.state.health,
            ):
                await self._told(container.id, health)
        except Exception:
            _log.exception("watching the health of container %s", container.id)
