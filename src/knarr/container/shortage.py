"""Who hears that a container has no memory left, and tells it when it happens."""

import asyncio
import logging
from contextlib import aclosing, suppress

from knarr.container.journal import Journal
from knarr.container.model import Container
from knarr.errors import NotFound
from knarr.ids import ContainerId
from knarr.runtime import Keeper

_log = logging.getLogger("knarr.container")


class ShortageWatch:
    """One task for each running container."""

    def __init__(self, keeper: Keeper, journal: Journal, tasks: asyncio.TaskGroup) -> None:
        self._keeper, self._journal, self._tasks = keeper, journal, tasks
        self._watching: dict[ContainerId, asyncio.Task[None]] = {}

    def begin(self, container: Container) -> None:
        self.end(container.id)
        self._watching[container.id] = self._tasks.create_task(self._watch(container.id))

    def end(self, container_id: ContainerId) -> None:
        """It stopped. What its end says of memory is recorded with it."""
        if (task := self._watching.pop(container_id, None)) is not None:
            task.cancel()

    def close(self) -> None:
        """The daemon ends, and its tasks with it; the containers go on."""
        for container_id in tuple(self._watching):
            self.end(container_id)

    async def _watch(self, container_id: ContainerId) -> None:
        try:
            with suppress(NotFound):
                async with aclosing(self._keeper.shortages(container_id)) as shortages:
                    async for _ in shortages:
                        async with self._journal.held(container_id) as before:
                            if before.alive:
                                self._journal.record(before.out_of_memory(), ("oom", {}))
        except Exception:
            _log.exception("watching the memory of container %s", container_id)
