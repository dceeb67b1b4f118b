"""Keeping what is stored, and not yet in the rows, from being deleted."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Name = TypeVar("Name")


class Pinning(Generic[Name]):
    """A store whose ``discard`` leaves alone what is pinned. It looks with ``_lock`` taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pins: Counter[Name] = Counter()

    def pin(self, name: Name) -> None:
        """Keep ``discard`` away until ``unpin``: for what is there, and not yet in the rows."""
        with self._lock:
            self._pins[name] += 1

    def unpin(self, name: Name) -> None:
        with self._lock:
            self._pins[name] -= 1
            if self._pins[name] <= 0:
                del self._pins[name]

    def is_pinned(self, name: Name) -> bool:
        with self._lock:
            return name in self._pins

    @contextmanager
    def pinned(self, names: Iterable[Name]) -> Iterator[None]:
        """Keep several for the length of a block."""
        held = tuple(names)
        for name in held:
            self.pin(name)
        try:
            yield
        finally:
            for name in held:
                self.unpin(name)
