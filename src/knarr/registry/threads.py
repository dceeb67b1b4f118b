"""Work in threads, told of in the loop and called off from there."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from knarr.errors import KnarrError, Unavailable
from knarr.registry.cancellation import Cancellation
from knarr.spec.docker.progress import Progress

T = TypeVar("T")
_TELL_EVERY_S: Final = 0.1

Tell = Callable[[Progress], None]
"""Takes one line of progress; called in the event loop."""


async def in_thread(
    work: Callable[[], T], cancellation: Cancellation, threads: Executor | None = None
) -> T:
    """Run it; cancelled, call it off and stay until it has ended: it holds files."""

    def unless_called_off() -> T:
        cancellation.check()  # it may have waited for a thread meanwhile
        return work()

    future = asyncio.get_running_loop().run_in_executor(threads, unless_called_off)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancellation.call_off()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({future})
        future.exception()  # seen: being called off is what it says
        raise


@contextlib.contextmanager
def called_off_when_cancelled() -> Iterator[Cancellation]:
    """For short questions: nobody waits for the thread, it ends by itself."""
    cancellation = Cancellation()
    try:
        yield cancellation
    except asyncio.CancelledError:
        cancellation.call_off()
        raise


async def all_or_first_error(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; when one fails the others are cancelled and waited for.

    Raises, of several failures at once, what was refused before what broke.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as errors:
        raise _first_of(errors) from errors
    return [task.result() for task in tasks]


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    known = [error for error in group.exceptions if isinstance(error, KnarrError)]
    refused = [error for error in known if not isinstance(error, Unavailable)]
    return (*refused, *known, *group.exceptions)[0]


class Speaker:
    """What threads have to say of one layer, brought to the loop, and not too often."""

    def __init__(self, identifier: str, total_bytes: int, tell: Tell) -> None:
        """identifier: what the lines are about, in its short form."""
        self._id, self._tell = identifier, tell
        self.total_bytes = total_bytes
        self._loop = asyncio.get_running_loop()
        self._next_s = 0.0
        self._downloaded = False

    def __call__(self, status: str, current: int = 0) -> None:
        self._downloaded = self._downloaded or status == "Download complete"
        total = self.total_bytes if current else 0
        if current != total:
            now = time.monotonic()
            if now < self._next_s:
                return
            self._next_s = now + _TELL_EVERY_S
        message = Progress.about(self._id, status, current, total)
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it who listened
            self._loop.call_soon_threadsafe(self._tell, message)

    def unpacked(self, position: int) -> None:
        if self._downloaded:
            self("Extracting", position)
