"""What a container says in its first moment, for whoever asks before it has spoken."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from knarr.runtime.log import LogQuery, LogReader

_LOOK_AGAIN_S: Final = 0.02


async def first_words(folder: Path, runs: Callable[[], bool], until_ns: int) -> None:
    """Wait until the log in ``folder`` has a line or nothing ``runs``; no longer than ``until_ns``.

    Clients start a container and ask at once what it said: with Docker, whose start takes longer,
    it has spoken by then. The time is in nanoseconds since the epoch.
    """
    while time.time_ns() < until_ns:
        ran = runs()
        if any(LogReader(folder, LogQuery()).written()) or not ran:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)
