"""What can be made or fetched again goes first when the disk, or the budget for it, runs low.

First the compressed forms of layers that are here: they only spare a push some work. Then the
build cache, least recently used first. Images, containers and volumes are a person's to remove; a
pull or build that finds too little room is refused (content.headroom).
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from knarr.content import Budget, free_and_reserve
from knarr.content.rows import end_old_leases
from knarr.errors import KnarrError
from knarr.ids import Digest
from knarr.image import ImageService
from knarr.store import Database
from knarr.units import human_size

_EVERY_S: Final = 5.0
_SWEEP_S: Final = 3600.0
_IN_VAIN_S: Final = 60.0  # looking for what to give up costs something too
_ALERT: Final = 4  # times the reserve: from there on room is made
_BUDGET_ALERT: Final = 0.9  # of the budget
_INCOMING: Final = ("blobs/tmp", "blobs/partial", "layers/tmp")
Shrink = Callable[[int], Awaitable[int]]  # the build cache, by so many bytes; how many were freed
_log = logging.getLogger("knarr.upkeep")


class Pressure:
    """Lives in the loop."""

    def __init__(
        self,
        db: Database,
        images: ImageService,
        shrink_cache: Shrink,
        budget: Budget,
        data_root: Path,
    ) -> None:
        self._db, self._images, self._shrink_cache, self._budget = db, images, shrink_cache, budget
        self._data_root = data_root

    async def run(self) -> None:
        """Until it is cancelled."""
        swept_s = time.monotonic()
        while True:
            if time.monotonic() - swept_s > _SWEEP_S:
                swept_s = time.monotonic()
                self.end_old_leases()
                await self._images.empty_trash()
            try:
                freed = await self.relieve()
            except (KnarrError, OSError) as error:  # a disk so full that nothing can be written
                _log.warning("no room could be made on the disk: %s", error)
                freed = 0
            in_vain = not freed and self.missing_bytes() > 0
            await asyncio.sleep(_IN_VAIN_S if in_vain else _EVERY_S)

    async def relieve(self) -> int:
        """Make room where it is needed; bytes that were freed."""
        self._budget.used_bytes = self.used_bytes()
        missing = self.missing_bytes()
        if missing <= 0:
            return 0
        freed = self.end_old_leases()
        if freed < missing:
            freed += self.drop_forms(missing - freed)
        if freed < missing:
            freed += await self._shrink_cache(missing - freed)
        if freed:
            _log.warning("little room on the disk: gave up %s of what can be made again",
                         human_size(freed))  # fmt: skip
            await self._images.empty_trash()
        self._budget.used_bytes = self.used_bytes()
        return freed

    def used_bytes(self) -> int:
        """What the store takes: by the rows, and what is coming in."""
        (row,) = self._db.query(
            "SELECT (SELECT coalesce(sum(size_bytes), 0) FROM blobs)"
            " + (SELECT coalesce(sum(tar_bytes), 0) FROM layers) AS total"
        )
        return int(row["total"]) + sum(_folder_bytes(self._data_root / each) for each in _INCOMING)

    def missing_bytes(self) -> int:
        """How much less there should be; not more than 0 where all is well."""
        free, reserve = free_and_reserve(self._data_root)
        missing = _ALERT * reserve - free
        if self._budget.limit_bytes is not None:
            over = self._budget.used_bytes - int(self._budget.limit_bytes * _BUDGET_ALERT)
            missing = max(missing, over)
        return missing

    def end_old_leases(self) -> int:
        """Let go of what pulls that came to nothing left, once its day is over; bytes freed."""
        before = self.used_bytes()
        with self._db.transaction() as tx:
            end_old_leases(tx, now_ns=time.time_ns(), at_start=False)
        self._images.collect()
        return before - self.used_bytes()

    def drop_forms(self, wanted_bytes: int) -> int:
        """Forget compressed forms of layers, largest first, that nobody else holds."""
        freed, gone = 0, []
        for row in self._db.query(
            "SELECT digest, size_bytes FROM blobs WHERE digest IN (SELECT digest FROM layer_blobs)"
            " AND digest NOT IN (SELECT digest FROM blob_holds) ORDER BY size_bytes DESC"
        ):
            if freed >= wanted_bytes:
                break
            freed += row["size_bytes"]
            gone.append(Digest(row["digest"]))
        with self._db.transaction() as tx:
            tx.executemany("DELETE FROM layer_blobs WHERE digest = ?", [(each,) for each in gone])
        self._images.collect()
        return freed


def _folder_bytes(folder: Path) -> int:
    """Of what is coming in: files, or folders with a file or two."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("trash-"):  # on its way out
                    continue
                path = f"{entry.path}/layer.tar" if entry.is_dir() else entry.path
                try:
                    total += os.stat(path).st_blocks * 512
                except FileNotFoundError:
                    continue
    except FileNotFoundError:
        return 0
    return total
