"""The threads in which the kernel is asked: one for what is waited for, one for removals."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from knarr.network.host import HostNetwork

_log = logging.getLogger("knarr.network")
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Worker:
    """Hands work to the threads; whatever was begun ends before ``close`` returns."""

    def __init__(self, host: HostNetwork) -> None:
        self._host = host
        self._links = ThreadPoolExecutor(1, "links")
        self._removals = ThreadPoolExecutor(1, "links-removal")
        self._background: set[asyncio.Future[None]] = set()

    async def act(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """One after the other. Cancelled or not, ``work`` ends before this returns."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._links, lambda: work(*args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    def later(self, work: Callable[[], None]) -> None:
        """After all that was handed in before; nobody waits, failures are logged."""
        self._watch(asyncio.get_running_loop().run_in_executor(self._links, work))

    def reap(self, links: Sequence[str]) -> "asyncio.Future[None] | None":
        """Take links away: some 20 ms each, so there is no need to wait for it."""
        if not links:
            return None
        loop = asyncio.get_running_loop()
        return self._watch(loop.run_in_executor(self._removals, self._host.reap, links))

    def _watch(self, future: "asyncio.Future[None]") -> "asyncio.Future[None]":
        self._background.add(future)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: "asyncio.Future[None]") -> None:
        self._background.discard(future)
        if not future.cancelled() and (error := future.exception()):
            _log.warning("networks: %s", error)

    async def close(self) -> None:
        while self._background:
            await asyncio.wait(set(self._background))
        self._links.shutdown()
        self._removals.shutdown()
