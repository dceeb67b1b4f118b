"""Who keeps an eye on containers with a health check, as long as they run."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from knarr.container.exec import ExecService
from knarr.container.health import Probed, probe_command, watch
from knarr.container.model import Container
from knarr.ids import ContainerId
from knarr.spec.docker.health import Health
from knarr.times import rfc3339

_log = logging.getLogger("knarr.container")

Told = Callable[[ContainerId, Health], Awaitable[None]]


async def _nobody(_container_id: ContainerId, _health: Health) -> None:
    """Until somebody listens."""


class HealthWatch:
    """One task for each running container that has a check."""

    def __init__(self, execs: ExecService, tasks: asyncio.TaskGroup) -> None:
        self._execs = execs
        self._tasks = tasks
        self._watching: dict[ContainerId, asyncio.Task[None]] = {}
        self._told: Told = _nobody

    def listen(self, told: Told) -> None:
        """``told`` hears of every probe from now on."""
        self._told = told

    def begin(self, container: Container) -> None:
        """From now on it is probed. Nothing happens where there is no check."""
        if probe_command(container.record.config) is None:
            return
        self.end(container.id)
        self._watching[container.id] = self._tasks.create_task(self._watch(container))

    def end(self, container_id: ContainerId) -> None:
        """It stopped, or is paused."""
        if (task := self._watching.pop(container_id, None)) is not None:
            task.cancel()

    def close(self) -> None:
        """The daemon ends, and its tasks with it; the containers go on."""
        for container_id in tuple(self._watching):
            self.end(container_id)

    async def _watch(self, container: Container) -> None:
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
