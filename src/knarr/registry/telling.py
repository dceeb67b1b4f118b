"""What a verb tells while it works, as a stream: the caller reads, the verb goes on meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from knarr.registry.threads import Tell
from knarr.spec.docker.progress import Progress

_PATIENCE: Final = 1000  # lines a slow reader may be behind before bars are left out


async def told(work: Callable[[Tell], Awaitable[object]]) -> AsyncGenerator[Progress, None]:
    """The lines of ``work``, as they come; then raises what it raised.

    A reader that leaves calls the work off. One that is slow misses steps of bars, no more.
    """
    lines: asyncio.Queue[Progress | None] = asyncio.Queue()

    def tell(line: Progress) -> None:
        is_step = line.progress_detail is not None and line.progress_detail.current > 0
        if not (is_step and lines.qsize() > _PATIENCE):
            lines.put_nowait(line)

    async def run() -> None:
        try:
            await work(tell)
        finally:
            lines.put_nowait(None)

    running = asyncio.create_task(run())
    try:
        while (line := await lines.get()) is not None:
            yield line
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
