"""Progress of what a thread does, told in the loop: not more often than eyes can follow."""

import asyncio
import time
from typing import Final

from knarr.spec.docker.progress import Progress, ProgressDetail
from knarr.units import human_size

_EVERY_S: Final = 0.1
_BAR_WIDTH: Final = 50


class Meter:
    """An asynchronous iterator of messages; ``report`` may be called from any thread."""

    def __init__(self, status: str, *, quiet: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[Progress | None] = asyncio.Queue()
        self._status = status
        self._quiet = quiet
        self._next: dict[str, float] = {}

    def report(self, name: str, done: int, total: int) -> None:
        """``done`` bytes of ``total`` of the thing called ``name``."""
        now = time.monotonic()
        if self._quiet or (now < self._next.get(name, 0.0) and done < total):
            return
        self._next[name] = now + _EVERY_S
        self.say(
            Progress(
                status=self._status,
                progress_detail=ProgressDetail(current=done, total=total),
                progress=bar(done, total),
                id=name,
            )
        )

    def say(self, message: Progress) -> None:
        self._loop.call_soon_threadsafe(self._messages.put_nowait, message)

    def close(self) -> None:
        """The iteration ends when what was reported before has been read."""
        self._loop.call_soon_threadsafe(self._messages.put_nowait, None)

    def __aiter__(self) -> "Meter":
        return self

    async def __anext__(self) -> Progress:
        message = await self._messages.get()
        if message is None:
            raise StopAsyncIteration
        return message


def bar(done: int, total: int) -> str:
    """The ready-made text of clients that draw nothing: ``[====>    ]  1.5MB/3MB``."""
    if total <= 0:
        return f"{human_size(done):>8}"
    filled = min(done * _BAR_WIDTH // total, _BAR_WIDTH)
    arrow = ">" if filled < _BAR_WIDTH else ""
    drawn = ("=" * filled + arrow).ljust(_BAR_WIDTH)
    return f"[{drawn}] {human_size(done):>8}/{human_size(total)}"
