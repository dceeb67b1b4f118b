"""A thread produces bytes, the loop sends them on: bounded, and neither outlives the other."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Final

_PIECES: Final = 4  # that may wait; each is about a MiB

Produce = Callable[[Callable[[bytes], None]], None]


class _NobodyListens(Exception):
    """Ends the thread when the receiver has gone."""


async def outflow(produce: Produce) -> AsyncGenerator[bytes, None]:
    """What ``produce`` gives to its sink, run in a thread. Its failure is raised at the end."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
    room = threading.Semaphore(_PIECES)
    gone = threading.Event()

    def sink(piece: bytes) -> None:
        room.acquire()
        if gone.is_set():
            raise _NobodyListens
        loop.call_soon_threadsafe(waiting.put_nowait, piece)

    def work() -> None:
        try:
            with suppress(_NobodyListens):
                produce(sink)
        finally:
            loop.call_soon_threadsafe(waiting.put_nowait, None)

    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while (piece := await waiting.get()) is not None:
            room.release()
            yield piece
        await working
    finally:
        gone.set()
        room.release()
        await asyncio.wait({working})
