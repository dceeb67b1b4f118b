"""Who listens hears what happened, in order; who is too slow is cut off and knows it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from knarr.errors import Unavailable
from knarr.events.model import Event

_BACKLOG: Final = 4096  # events a listener may be behind


class Listener:
    """An endless asynchronous iterator of events; raises Unavailable once it fell behind."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)
        self._lost = False

    def __aiter__(self) -> "Listener":
        return self

    async def __anext__(self) -> Event:
        if self._lost and self._queue.empty():
            raise Unavailable("this listener was too slow: events were dropped")
        return await self._queue.get()

    def put(self, event: Event) -> None:
        if self._lost:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._lost = True


class EventBus:
    """Lives in the daemon's loop; ``publish`` never waits."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._hooks: list[Callable[[Event], None]] = []

    def publish(self, events: Iterable[Event]) -> None:
        for event in events:
            for hook in self._hooks:
                hook(event)
            for listener in self._listeners:
                listener.put(event)

    def on_event(self, hook: Callable[[Event], None]) -> None:
        """Call ``hook`` with each event, at once, in the loop; it must not block."""
        self._hooks.append(hook)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    @property
    def listener_count(self) -> int:
        return len(self._listeners)
