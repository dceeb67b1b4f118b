"""What keeps an eye on running containers, each by a task of its own."""

import asyncio
from collections.abc import Coroutine

from knarr.ids import ContainerId


class ContainerWatch:
    """At most one task for each container, as long as it runs."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._watching: dict[ContainerId, asyncio.Task[None]] = {}

    def watch(self, container_id: ContainerId, work: Coroutine[None, None, None]) -> None:
        """Do ``work`` beside its run, in the place of what was done before."""
        self.end(container_id)
        self._watching[container_id] = self._tasks.create_task(work)

    def end(self, container_id: ContainerId) -> None:
        """It stopped, or is paused."""
        if (task := self._watching.pop(container_id, None)) is not None:
            task.cancel()

    def close(self) -> None:
        """The daemon ends, and its tasks with it; the containers go on."""
        for container_id in tuple(self._watching):
            self.end(container_id)
