"""Directories of RUN --mount=type=cache: kept from build to build, one or several for each id.

<data root>/build/mounts/<digest of the id>/<number>
"""

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from knarr.build import rows
from knarr.build.graph import digest_of
from knarr.build.ops import CacheMount, Sharing
from knarr.ids import Digest
from knarr.store import Database

_PREFIX: Final = "sha256:"
Seed = Callable[[Path], None]
"""Fills a new directory with what it begins with. In a thread."""


class CacheMounts:
    """Lives in the loop; one for the daemon, since builds share the directories."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._locks: defaultdict[Digest, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._users: defaultdict[tuple[Digest, int], int] = defaultdict(int)

    @asynccontextmanager
    async def held(self, mount: CacheMount, origin: str, seed: Seed | None) -> AsyncIterator[Path]:
        """The mount's directory for the length of a block, as its sharing allows.

        origin: names what a new one begins with; different origins are different caches.
        """
        identity = digest_of(mount.id, origin)
        if mount.sharing is Sharing.LOCKED:
            async with self._locks[identity], self._numbered(identity, 0, mount, seed) as path:
                yield path
            return
        number = self._free(identity) if mount.sharing is Sharing.PRIVATE else 0
        async with self._numbered(identity, number, mount, seed) as path:
            yield path

    def _free(self, identity: Digest) -> int:
        return next(n for n in range(1 << 20) if not self._users[identity, n])

    @asynccontextmanager
    async def _numbered(
        self, identity: Digest, number: int, mount: CacheMount, seed: Seed | None
    ) -> AsyncIterator[Path]:
        path = self.path(identity, number)
        self._users[identity, number] += 1
        try:
            if not path.exists():
                await asyncio.to_thread(_make, path, mount, seed)
            with self._db.transaction() as tx:
                rows.use_mount(tx, identity, number, mount.id)
            yield path
        finally:
            self._users[identity, number] -= 1

    def path(self, identity: str, number: int) -> Path:
        return self._folder / identity.removeprefix(_PREFIX) / str(number)

    def in_use(self, identity: str, number: int) -> bool:
        return bool(self._users.get((Digest(identity), number)))

    def discard(self, identity: str, number: int) -> None:
        """Take a directory away. Quick; ``empty_trash`` deletes it."""
        path = self.path(identity, number)
        with suppress(FileNotFoundError):
            os.rename(path, self._folder / f".trash-{os.urandom(8).hex()}")

    def empty_trash(self) -> None:
        """Takes long: off the loop."""
        for entry in self._folder.glob(".trash-*"):
            shutil.rmtree(entry, ignore_errors=True)


def _make(path: Path, mount: CacheMount, seed: Seed | None) -> None:
    """Whole or not at all: filled under another name first."""
    incoming = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    incoming.mkdir(mode=0o700, parents=True)
    try:
        if seed is not None:
            seed(incoming)
        os.chown(incoming, mount.uid, mount.gid)
        incoming.chmod(mount.mode)
        os.rename(incoming, path)
    except OSError:
        shutil.rmtree(incoming, ignore_errors=True)
        if not path.exists():  # else another step was faster
            raise
