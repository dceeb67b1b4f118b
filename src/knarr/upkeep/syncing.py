"""What came in is brought to the disk in the background: a pull does not wait for it.

A row says whether its bytes are known to be on the disk. After a boot that no shutdown came
before, what was not is read again: a power cut leaves files whose contents never arrived.
"""

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from knarr.content import BlobStore
from knarr.ids import DiffId, Digest
from knarr.kernel.libc import syncfs
from knarr.snapshot import Layers, Unpacked
from knarr.store import Database

_EVERY_S: Final = 5.0
_BATCH: Final = 64
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_log = logging.getLogger("knarr.upkeep")


class Syncer:
    """Lives in the loop; waiting for the disk is done in a thread."""

    def __init__(self, db: Database, blobs: BlobStore, layers: Layers) -> None:
        self._db, self._blobs, self._layers = db, blobs, layers

    def doubtful(self) -> tuple[list[Digest], list[DiffId]]:
        """At start: blobs and layers that were not on the disk when the machine went down.

        Nothing after a restart of the daemon alone: what it wrote, the kernel has.
        """
        row = self._db.query_one("SELECT value FROM facts WHERE name = 'boot'")
        boot = _BOOT.read_text().strip()
        if row is not None and row["value"] == boot:
            return [], []
        found = self._unsynced(-1) if row is not None else ([], [])
        with self._db.transaction() as tx:
            tx.execute("INSERT OR REPLACE INTO facts VALUES ('boot', ?)", (boot,))
        return found

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                while await self.sync_some():
                    pass
            except OSError as error:
                _log.warning("syncing what came in: %s", error)

    async def sync_some(self) -> int:
        """A batch; how many there were."""
        blobs, layers = self._unsynced(_BATCH)
        if not blobs and not layers:
            return 0
        await asyncio.to_thread(self._sync, blobs, layers)
        with self._db.transaction() as tx:
            tx.executemany("UPDATE blobs SET synced = 1 WHERE digest = ?", [(b,) for b in blobs])
            tx.executemany("UPDATE layers SET synced = 1 WHERE diff_id = ?", [(e,) for e in layers])
        return len(blobs) + len(layers)

    def _unsynced(self, limit: int) -> tuple[list[Digest], list[DiffId]]:
        blobs = self._db.query("SELECT digest FROM blobs WHERE synced = 0 LIMIT ?", (limit,))
        layers = self._db.query("SELECT diff_id FROM layers WHERE synced = 0 LIMIT ?", (limit,))
        return (
            [Digest(row["digest"]) for row in blobs],
            [DiffId(Digest(row["diff_id"])) for row in layers],
        )

    def _sync(self, blobs: Iterable[Digest], layers: Iterable[DiffId]) -> None:
        """What is gone meanwhile needs nothing."""
        folders = {self._blobs.path(each).parent for each in blobs}
        for digest in blobs:
            _flush(self._blobs.path(digest))
        for diff_id in layers:
            folder = self._layers.folder(diff_id)
            folders |= {folder, folder.parent}
            if self._layers.driver_of(diff_id) == Unpacked.name:
                _flush(folder, whole=True)
                continue
            for name in os.listdir(folder) if folder.is_dir() else ():
                _flush(folder / name)
        for each in folders:
            _flush(each)


def _flush(path: Path, *, whole: bool = False) -> None:
    """whole: the file system that it lies on; a tree of files has no cheaper way."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if whole:
            syncfs(fd)
        else:
            os.fsync(fd)
    finally:
        os.close(fd)
