"""Layers by diff ID.

    <data root>/layers/<hex>/layer.tar    the plain tar, byte for byte: what save and push send
    <data root>/layers/<hex>/...          what the driver made of it to mount
    <data root>/layers/tmp/<random>/      a layer that is still coming in, or going; swept at start

Everything here is synchronous and may be used from any thread. Which layers are wanted is a matter
of rows (`snapshot.rows`).
"""

import os
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from knarr.content import Budget, Pinning
from knarr.errors import NotFound, Unsupported
from knarr.ids import DiffId, Digest
from knarr.snapshot.apart import prepare_apart
from knarr.snapshot.changes import is_opaque
from knarr.snapshot.contents import Contents
from knarr.snapshot.driver import Snapshotter
from knarr.snapshot.incoming import TAR, LayerWriter, mapped
from knarr.snapshot.tar import LIMITS, Limits, Member
from knarr.snapshot.tar import members as tar_members
from knarr.snapshot.unpacked import TREE

_PREFIX: Final = "sha256:"
APART_BYTES: Final = 16 << 20


class Layers(Pinning[DiffId]):
    """Each layer's tar, and what a driver makes of it. The first driver that can is taken."""

    def __init__(
        self,
        data_root: Path,
        drivers: Sequence[Snapshotter],
        limits: Limits = LIMITS,
        *,
        budget: Budget | None = None,
        apart_bytes: int = APART_BYTES,
    ) -> None:
        """budget: what all that comes in counts against. apart_bytes: layers of this size and
        above are prepared by a worker process.
        """
        super().__init__()
        self._budget = budget or Budget()
        self._folder = data_root / "layers"
        self._incoming = self._folder / "tmp"
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._drivers = tuple(drivers)
        self._limits = limits
        self._apart_bytes = apart_bytes
        self._preparing = threading.Lock()

    @property
    def driver(self) -> str:
        """The name of the driver for new layers, where it can take them."""
        return self._drivers[0].name

    @property
    def driver_names(self) -> tuple[str, ...]:
        """Of all drivers that work here, the one for new layers first."""
        return tuple(driver.name for driver in self._drivers)

    def folder(self, diff_id: DiffId) -> Path:
        return self._folder / diff_id.removeprefix(_PREFIX)

    def has(self, diff_id: DiffId) -> bool:
        return self.folder(diff_id).is_dir()

    def writer(self) -> LayerWriter:
        """For a new layer's plain tar."""
        return LayerWriter(self.settle, self._incoming / secrets.token_hex(8), self._budget)

    def open_tar(self, diff_id: DiffId) -> int:
        """A descriptor of the layer's plain tar. Raises NotFound."""
        try:
            return os.open(self.folder(diff_id) / TAR, os.O_RDONLY)
        except FileNotFoundError as error:
            raise NotFound(f"layer {diff_id}: not found") from error

    def lowers(self, diff_ids: Sequence[DiffId]) -> tuple[Path, ...]:
        """Directories for overlayfs, topmost first, of a chain given lowest first.

        A layer that occurs twice is taken where it is highest: overlayfs refuses a second
        occurrence, and the higher one hides all that the lower one would show. Below a layer whose
        root is opaque the chain ends: overlayfs does not look at that mark on a root.
        """
        chain = []
        for diff_id in dict.fromkeys(reversed(diff_ids)):
            chain.append(self.lower(diff_id))
            if is_opaque(chain[-1]):
                break
        return tuple(chain)

    def places(self, diff_ids: Sequence[DiffId]) -> tuple[Path, ...]:
        """Where each layer is, topmost first, for people to look at; nothing is mounted for it."""
        folders = (self.folder(diff_id) for diff_id in reversed(diff_ids))
        return tuple(tree if (tree := each / TREE).is_dir() else each for each in folders)

    def lower(self, diff_id: DiffId) -> Path:
        """The layer's directory for overlayfs; mounted if that is what its driver does."""
        folder = self.folder(diff_id)
        if (ready := self._driver_of(folder)) is not None:
            return ready.lower(folder)
        # Nothing here that this machine can mount: it was prepared on another one, or by hand.
        self._prepare(diff_id, folder)
        driver = self._driver_of(folder)
        assert driver is not None
        return driver.lower(folder)

    def _prepare(self, diff_id: DiffId, folder: Path) -> None:
        if not (folder / TAR).is_file():
            raise NotFound(f"layer {diff_id}: not found")
        with self._preparing:
            if self._driver_of(folder) is None:  # else somebody was faster
                self._built(folder, self._drivers)

    def _driver_of(self, folder: Path) -> Snapshotter | None:
        return next((driver for driver in self._drivers if driver.has(folder)), None)

    # -- upkeep ------------------------------------------------------------------------------

    def driver_of(self, diff_id: DiffId) -> str:
        """The name of the driver that has prepared the layer; empty where none has."""
        driver = self._driver_of(self.folder(diff_id))
        return driver.name if driver is not None else ""

    def is_sound(self, diff_id: DiffId) -> bool:
        """Whether what is mounted of the layer is what its tar says. Takes long: off the loop.

        Raises FileNotFoundError where the layer is gone, InvalidArgument for a broken tar.
        """
        folder, scratch = self.folder(diff_id), self._incoming / secrets.token_hex(8)
        driver = self._driver_of(folder)
        if driver is None:
            return False
        scratch.mkdir(mode=0o700)
        try:
            with mapped(folder / TAR) as data:
                return driver.is_sound(data, folder, scratch, self._limits)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def remake(self, diff_id: DiffId, name: str = "") -> None:
        """Make anew what is mounted of the layer, by the driver of that name or the first that can.

        No running container may stand on it. What was there before stays until the new is whole.
        Raises Unsupported where the driver cannot, NotFound without the tar. Off the loop.
        """
        folder, scratch = self.folder(diff_id), self._incoming / f"trash-{secrets.token_hex(8)}"
        wanted = [driver for driver in self._drivers if name in ("", driver.name)]
        scratch.mkdir(mode=0o755)
        try:
            os.link(folder / TAR, scratch / TAR)
            self._built(scratch, wanted)
            with self._preparing, self._lock:
                for driver in self._drivers:
                    driver.release(folder)
                    if driver.has(folder):
                        os.rename(folder / driver.made, scratch / f"old-{driver.made}")
                for driver in wanted:
                    if driver.has(scratch):
                        os.rename(scratch / driver.made, folder / driver.made)
        except FileNotFoundError as error:
            raise NotFound(f"layer {diff_id}: not found") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def set_aside(self, diff_id: DiffId, place: Path) -> None:
        """Move a damaged layer's folder to ``place``, so that another may come in its stead."""
        with self._lock:
            for driver in self._drivers:
                driver.release(self.folder(diff_id))
            os.rename(self.folder(diff_id), place)

    def discard(self, diff_id: DiffId) -> None:
        """Take away a layer whose row is gone. Quick; ``empty_trash`` deletes it.

        One that is pinned stays: its row is on the way.
        """
        with self._lock:
            folder = self.folder(diff_id)
            if diff_id in self._pins or not folder.exists():
                return
            for driver in self._drivers:
                driver.release(folder)
            os.rename(folder, self._incoming / f"trash-{secrets.token_hex(8)}")

    def empty_trash(self) -> None:
        """Delete what was discarded. Takes long: off the loop."""
        for entry in self._incoming.glob("trash-*"):
            shutil.rmtree(entry, ignore_errors=True)

    def diff_ids(self) -> Iterator[DiffId]:
        """Every layer on the disk, wanted or not."""
        for name in os.listdir(self._folder):
            if name != self._incoming.name:
                yield DiffId(Digest(_PREFIX + name))

    def sweep(self, wanted: Iterable[DiffId]) -> list[DiffId]:
        """At start: delete what no row knows and what never got its name. Returns the orphans."""
        known = set(wanted)
        orphans = [diff_id for diff_id in self.diff_ids() if diff_id not in known]
        self._pins.clear()
        for diff_id in orphans:
            self.discard(diff_id)
        for entry in self._incoming.iterdir():
            shutil.rmtree(entry)
        return orphans

    def close(self) -> None:
        for driver in self._drivers:
            driver.close()

    def settle(
        self, incoming: Path, diff_id: DiffId, members: Sequence[Member] | None = None
    ) -> Contents:
        """Prepare a whole, hashed tar in its folder, and give that its name, pinned."""
        self.pin(diff_id)
        try:
            folder = self.folder(diff_id)
            if folder.is_dir():
                return self._measured(folder)
            contents = self._built(incoming, self._drivers, members)
            with self._lock:
                try:
                    os.rename(incoming, folder)
                except OSError:
                    if not folder.is_dir():  # else somebody was faster with the same layer
                        raise
        except BaseException:
            self.unpin(diff_id)
            raise
        return contents

    def _built(
        self,
        incoming: Path,
        drivers: Sequence[Snapshotter],
        members: Sequence[Member] | None = None,
    ) -> Contents:
        """By the first driver that can; a large layer that must be read in a process of its own."""
        large = (incoming / TAR).stat().st_size >= self._apart_bytes
        for driver in drivers:
            known = members if driver.takes_members else None
            with suppress(Unsupported):
                if large and known is None:
                    return prepare_apart(driver.name, incoming, self._limits)
                with mapped(incoming / TAR) as data:
                    return driver.build(data, incoming, self._limits, known)
        raise Unsupported("no snapshotter of this machine can take this layer")

    def _measured(self, folder: Path) -> Contents:
        content_bytes = entries = 0
        with mapped(folder / TAR) as data:
            for member in tar_members(data, self._limits):
                content_bytes, entries = content_bytes + member.size, entries + 1
        return Contents(content_bytes=content_bytes, entries=entries)
