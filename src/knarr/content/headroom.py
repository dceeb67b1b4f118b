"""A disk is refused before it is full, while what is there still works.

When a data root's file system runs out of space half-way, the database cannot commit, containers
cannot write and logs are lost. So what comes in from outside stops earlier.
"""

import os
from pathlib import Path
from typing import Final

from knarr.errors import Unavailable
from knarr.units import human_size

_RESERVE_BYTES: Final = 256 << 20
_RESERVE_SHARE: Final = 100  # or this part of a small file system
_LOOK_BYTES: Final = 32 << 20


class Budget:
    """How much the store may take, of all that is on the disk. Shared by all streams.

    used_bytes: as last measured, and what came in since. limit_bytes: None is no limit.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def take(self, count: int) -> None:
        """Raises Unavailable when it is used up. Threads may race here: it is measured again."""
        self.used_bytes += count
        if self.limit_bytes is not None and self.used_bytes > self.limit_bytes:
            raise Unavailable(
                f"the disk budget of {human_size(self.limit_bytes)} is used up: remove images or"
                " build cache ('knarr system prune'), or raise it (knarr daemon --disk-budget)"
            )


class Headroom:
    """One stream of bytes onto the file system of ``folder``; call ``take`` for each piece."""

    def __init__(self, folder: Path, budget: Budget) -> None:
        self._folder = folder
        self._budget = budget
        self._unseen_bytes = 0
        self._look()

    def take(self, count: int) -> None:
        """Raises Unavailable when too little would be left."""
        self._unseen_bytes += count
        self._budget.take(count)
        if self._unseen_bytes >= _LOOK_BYTES:
            self._unseen_bytes = 0
            self._look()

    def _look(self) -> None:
        free_bytes, reserve_bytes = free_and_reserve(self._folder)
        if free_bytes < reserve_bytes:
            raise Unavailable(
                f"no space left on device: {human_size(free_bytes)} free below {self._folder},"
                f" and {human_size(reserve_bytes)} are kept for containers and the database"
            )


def free_and_reserve(folder: Path) -> tuple[int, int]:
    """Bytes that are free on the file system of ``folder``, and those that must stay so."""
    there = os.statvfs(folder)
    reserve_bytes = min(_RESERVE_BYTES, there.f_blocks * there.f_frsize // _RESERVE_SHARE)
    return there.f_bavail * there.f_frsize, reserve_bytes
