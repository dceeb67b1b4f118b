"""Work that several pulls want is done once, and told to all of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from knarr.registry.threads import Tell
from knarr.spec.docker.progress import Progress

Work = Callable[[Tell], Coroutine[Any, Any, None]]


class _Transfer:
    """One piece of work under way, and who watches it."""

    def __init__(self, work: Work) -> None:
        self.watchers: list[Tell] = []
        self.abandoned = False
        self._latest: Progress | None = None
        # Not a task of any one caller's group: it ends with the last of them, not with the first.
        self.task = asyncio.get_running_loop().create_task(work(self._tell_all))

    def watch(self, tell: Tell) -> None:
        self.watchers.append(tell)
        if self._latest is not None:
            tell(self._latest)

    def leave(self, tell: Tell) -> None:
        self.watchers.remove(tell)
        if not self.watchers and not self.task.done():
            self.abandoned = True
            self.task.cancel()

    def _tell_all(self, message: Progress) -> None:
        self._latest = message
        for tell in self.watchers:
            tell(message)


class Transfers:
    """Keyed by what is transferred. Lives in the daemon's loop."""

    def __init__(self) -> None:
        self._running: dict[str, _Transfer] = {}

    async def join(self, key: str, tell: Tell, work: Work) -> None:
        """Wait until the work of this key is done; start it when nobody has.

        Raises what the work raised. When the last waiter is cancelled, the work is.
        """
        while (transfer := self._running.get(key)) is not None and transfer.abandoned:
            await asyncio.wait({transfer.task})
        if transfer is None:
            transfer = _Transfer(work)
            self._running[key] = transfer
            transfer.task.add_done_callback(lambda _: self._forget(key))
        transfer.watch(tell)
        try:
            await asyncio.shield(transfer.task)
        finally:
            transfer.leave(tell)

    def _forget(self, key: str) -> None:
        transfer = self._running.pop(key)
        if not transfer.task.cancelled():
            transfer.task.exception()  # seen, even where every watcher has left

    async def close(self) -> None:
        """Call everything off, and wait for its end."""
        tasks = {transfer.task for transfer in self._running.values()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
