"""Hear at once that the kernel has no memory left for a group of processes."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from knarr.kernel.cgroups import Cgroup
from knarr.runtime.changes import changes


async def shortages(group: Cgroup) -> AsyncGenerator[None, None]:
    """Yields each time; ends when the group has gone.

    Version 1 tells of it before it kills, and whether it kills or not; version 2 once it has.
    """
    try:
        source, known = group.oom_source(), group.oom_kills()
        with _alarm(source) as alarm:
            while True:
                await alarm.wait()
                alarm.clear()
                kills = group.oom_kills()  # raises when what rang was the group's removal
                if kills > known or isinstance(source, int):
                    yield
                known = kills
    except FileNotFoundError:
        return


@contextmanager
def _alarm(source: str | int) -> Iterator[asyncio.Event]:
    """Set when ``source`` tells something; a descriptor is closed in the end."""
    if isinstance(source, str):
        with changes(source) as changed:
            yield changed
        return
    loop, rung = asyncio.get_running_loop(), asyncio.Event()

    def on_ring() -> None:
        os.eventfd_read(source)
        rung.set()

    loop.add_reader(source, on_ring)
    try:
        yield rung
    finally:
        loop.remove_reader(source)
        os.close(source)
