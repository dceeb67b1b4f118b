"""A stream that arrives in the loop, read by a thread: bounded, and both ends learn of failure."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator
from typing import Final

from knarr.errors import KnarrError

_HIGH_BYTES: Final = 8 << 20  # the sender waits above this
_LOW_BYTES: Final = 4 << 20  # and goes on below this


class Feed:
    """Made in the loop. ``pump`` is a task there, ``read`` is called by one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        self._room = asyncio.Event()
        self._room.set()
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._end: BaseException | None = None
        self._ended = False

    async def pump(self, source: AsyncIterator[bytes]) -> None:
        """Hand over everything; the reader gets to know how it ended."""
        try:
            async for chunk in source:
                await self._room.wait()
                if chunk:
                    self._put(chunk)
        except BaseException as error:
            self._chunks.put(error)
            raise
        self._chunks.put(b"")

    def stop(self) -> None:
        """Nobody reads to the end: the thread's next ``read`` raises."""
        self._chunks.put(KnarrError("the transfer was broken off"))

    def read(self) -> bytes:
        """The next chunk, empty at the end. Raises KnarrError if the sender failed."""
        if not self._ended:
            chunk = self._chunks.get()
            if isinstance(chunk, bytes) and chunk:
                self._took(len(chunk))
                return chunk
            self._ended = True
            self._end = chunk if isinstance(chunk, BaseException) else None
        if self._end is not None:
            raise KnarrError(f"the transfer was broken off: {self._end}") from self._end
        return b""

    def _put(self, chunk: bytes) -> None:
        with self._lock:
            self._waiting_bytes += len(chunk)
            if self._waiting_bytes > _HIGH_BYTES:
                self._room.clear()
        self._chunks.put(chunk)

    def _took(self, count: int) -> None:
        with self._lock:
            was, self._waiting_bytes = self._waiting_bytes, self._waiting_bytes - count
            crossed = was > _LOW_BYTES >= self._waiting_bytes
        if crossed:
            self._loop.call_soon_threadsafe(self._room.set)
