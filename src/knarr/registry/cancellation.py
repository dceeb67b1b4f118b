"""Stopping work that goes on in threads: promptly, also where it waits for the network."""

import contextlib
import threading
from collections.abc import Callable, Iterator


class Cancelled(Exception):
    """Nobody wants the result any more."""


class Cancellation:
    """Called off once, from any thread; wakes whoever sleeps and closes connections at work."""

    def __init__(self) -> None:
        self._called_off = threading.Event()
        self._lock = threading.Lock()
        self._closers: list[Callable[[], object]] = []

    def call_off(self) -> None:
        with self._lock:
            self._called_off.set()
            closers, self._closers = self._closers, []
        for close in closers:
            with contextlib.suppress(OSError):
                close()

    @property
    def is_called_off(self) -> bool:
        return self._called_off.is_set()

    def check(self) -> None:
        """Raises Cancelled once it is called off."""
        if self._called_off.is_set():
            raise Cancelled

    def sleep(self, seconds: float) -> None:
        """Raises Cancelled at once when it is called off meanwhile."""
        if self._called_off.wait(seconds):
            raise Cancelled

    @contextlib.contextmanager
    def closing(self, close: Callable[[], object]) -> Iterator[None]:
        """Within this block ``close`` is called should the work be called off."""
        with self._lock:
            self.check()
            self._closers.append(close)
        try:
            yield
        finally:
            with self._lock:
                if close in self._closers:
                    self._closers.remove(close)
