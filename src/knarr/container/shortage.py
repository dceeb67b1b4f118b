"""Who hears that a container has no memory left, and tells it when it happens."""

import asyncio
import logging
from contextlib import aclosing, suppress

from knarr.container.journal import Journal
from knarr.container.model import Container
from knarr.container.watches import ContainerWatch
from knarr.errors import NotFound
from knarr.ids import ContainerId
from knarr.runtime import Keeper

_log = logging.getLogger("knarr.container")


class ShortageWatch(ContainerWatch):
    """One task for each running container."""

    def __init__(self, keeper: Keeper, journal: Journal, tasks: asyncio.TaskGroup) -> None:
        super().__init__(tasks)
        self._keeper, self._journal = keeper, journal

    def begin(self, container: Container) -> None:
        """What its end says of memory is recorded with that."""
        self.watch(container.id, self._listen(container.id))

    async def _listen(self, container_id: ContainerId) -> None:
        try:
            with suppress(NotFound):
                async with aclosing(self._keeper.shortages(container_id)) as shortages:
                    async for _ in shortages:
                        async with self._journal.held(container_id) as before:
                            if before.alive:
                                self._journal.record(before.out_of_memory(), ("oom", {}))
        except Exception:
            _log.exception("watching the memory of container %s", container_id)
