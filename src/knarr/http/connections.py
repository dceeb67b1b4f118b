"""Connections that are open: a task for each, ended together with those who accept them."""

import asyncio
from collections.abc import Coroutine


class Connections:
    """Listeners, and the tasks of what they accepted."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._listeners: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()

    def listen(self, listener: asyncio.Server) -> None:
        """It accepts from now on, until ``close``."""
        self._listeners.append(listener)

    def accept(self, talk: Coroutine[None, None, None]) -> None:
        """One more connection; ``talk`` ends with it."""
        task = self._tasks.create_task(talk)
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        """Stop accepting, and end the connections that are still open."""
        for listener in self._listeners:
            listener.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
