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


class Headroom:
    """One stream of bytes onto the file system of ``folder``; call ``take`` for each piece."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unseen_bytes = 0
        self._look()

    def take(self, count: int) -> None:
        """Raises Unavailable when too little would be left."""
        self._unseen_bytes += count
        if self._unseen_bytes >= _LOOK_BYTES:
            self._unseen_bytes = 0
            self._look()

    def _look(self) -> None:
        there = os.statvfs(self._folder)
        free_bytes = there.f_bavail * there.f_frsize
        reserve_bytes = min(_RESERVE_BYTES, there.f_blocks * there.f_frsize // _RESERVE_SHARE)
        if free_bytes < reserve_bytes:
            raise Unavailable(
                f"no space left on device: {human_size(free_bytes)} free below {self._folder},"
                f" and {human_size(reserve_bytes)} are kept for containers and the database"
            )
