"""Who waits for something to be written in a folder is woken; one inotify instance for all."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from weakref import WeakKeyDictionary

from knarr.kernel import inotify


class _Watches:
    """The folders that are watched in one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = inotify.open_watches()
        self._waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._loop.add_reader(self._descriptor, self._on_change)

    @property
    def unused(self) -> bool:
        return not self._waiting

    def add(self, folder: str, event: asyncio.Event) -> int:
        watch = inotify.add_watch(self._descriptor, folder, inotify.MODIFY | inotify.CREATE)
        self._waiting[watch].add(event)
        return watch

    def remove(self, watch: int, event: asyncio.Event) -> None:
        self._waiting[watch].discard(event)
        if not self._waiting[watch]:
            del self._waiting[watch]
            with suppress(OSError):
                inotify.remove_watch(self._descriptor, watch)

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _on_change(self) -> None:
        for watch in set(inotify.changed(self._descriptor)):
            everybody = self._waiting.values() if watch < 0 else [self._waiting.get(watch, set())]
            for events in everybody:
                for event in events:
                    event.set()


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watches] = WeakKeyDictionary()


@contextmanager
def changes(folder: str) -> Iterator[asyncio.Event]:
    """An event that is set whenever something is written in ``folder``, for the block's length."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    if (watches := _watches.get(loop)) is None:
        watches = _watches[loop] = _Watches()
    try:
        watch = watches.add(folder, event)
        try:
            yield event
        finally:
            watches.remove(watch, event)
    finally:
        if watches.unused:
            watches.close()
            del _watches[loop]
