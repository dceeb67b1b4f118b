"""Layers by diff ID.

    <data root>/layers/<hex>/layer.tar    the plain tar, byte for byte: what save and push send
    <data root>/layers/<hex>/...          what the driver made of it to mount
    <data root>/layers/tmp/<random>/      a layer that is still coming in, or going; swept at start

Everything here is synchronous and may be used from any thread. Which layers are wanted is a matter
of rows (`snapshot.rows`).
"""

import mmap
import os
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from knarr.content import Hasher, Headroom, Pinning, write_all
from knarr.errors import InvalidArgument, NotFound, Unsupported
from knarr.ids import DiffId, Digest
from knarr.snapshot.apart import prepare_apart
from knarr.snapshot.changes import is_opaque
from knarr.snapshot.driver import Snapshotter
from knarr.snapshot.model import Contents, Layer
from knarr.snapshot.tar import LIMITS, Limits, members
from knarr.snapshot.unpacked import TREE

_TAR: Final = "layer.tar"
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
        apart_bytes: int = APART_BYTES,
    ) -> None:
        """apart_bytes: layers of this size and above are prepared by a worker process."""
        super().__init__()
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

    def folder(self, diff_id: DiffId) -> Path:
        return self._folder / diff_id.removeprefix(_PREFIX)

    def has(self, diff_id: DiffId) -> bool:
        return self.folder(diff_id).is_dir()

    def writer(self) -> "LayerWriter":
        """For a new layer's plain tar."""
        return LayerWriter(self, self._incoming / secrets.token_hex(8))

    def open_tar(self, diff_id: DiffId) -> int:
        """A descriptor of the layer's plain tar. Raises NotFound."""
        try:
            return os.open(self.folder(diff_id) / _TAR, os.O_RDONLY)
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
        for driver in self._drivers:
            if driver.has(folder):
                return driver.lower(folder)
        # Nothing here that this machine can mount: it was prepared on another one, or by hand.
        self._prepare(diff_id, folder)
        return next(each for each in self._drivers if each.has(folder)).lower(folder)

    def _prepare(self, diff_id: DiffId, folder: Path) -> None:
        if not (folder / _TAR).is_file():
            raise NotFound(f"layer {diff_id}: not found")
        with self._preparing:
            self._built(folder)

    def convert(self, diff_id: DiffId, name: str) -> None:
        """Make the layer anew by the driver of that name. It must not be in use."""
        folder = self.folder(diff_id)
        wanted = next(driver for driver in self._drivers if driver.name == name)
        if wanted.has(folder):
            return
        with mapped(folder / _TAR) as data:
            wanted.build(data, folder, self._limits)
        for driver in self._drivers:
            if driver is not wanted and driver.has(folder):
                driver.release(folder)

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

    def settle(self, incoming: Path, diff_id: DiffId) -> Contents:
        """Prepare a whole, hashed tar in its folder, and give that its name, pinned."""
        self.pin(diff_id)
        try:
            folder = self.folder(diff_id)
            if folder.is_dir():
                return self._measured(folder)
            contents = self._built(incoming)
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

    def _built(self, incoming: Path) -> Contents:
        """By the first driver that can; a large layer in a process of its own."""
        apart = (incoming / _TAR).stat().st_size >= self._apart_bytes
        for driver in self._drivers:
            with suppress(Unsupported):
                if apart:
                    return prepare_apart(driver.name, incoming, self._limits)
                with mapped(incoming / _TAR) as data:
                    return driver.build(data, incoming, self._limits)
        raise Unsupported("no snapshotter of this machine can take this layer")

    def _measured(self, folder: Path) -> Contents:
        content_bytes = entries = 0
        with mapped(folder / _TAR) as data:
            for member in members(data, self._limits):
                content_bytes, entries = content_bytes + member.size, entries + 1
        return Contents(content_bytes=content_bytes, entries=entries)


class LayerWriter:
    """One layer's plain tar that is coming in; leaves nothing behind unless committed."""

    def __init__(self, layers: Layers, incoming: Path) -> None:
        self._layers = layers
        self._incoming = incoming
        self._headroom = Headroom(incoming.parent)
        incoming.mkdir(mode=0o755)
        self._fd = os.open(incoming / _TAR, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._hasher = Hasher()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def size_bytes(self) -> int:
        return self._hasher.size_bytes

    def write(self, chunk: bytes | memoryview) -> None:
        """``chunk`` must not change afterwards. Raises Unavailable when the disk is full."""
        self._headroom.take(len(chunk))
        self._hasher.update(chunk)
        write_all(self._fd, chunk)

    def commit(self, expected: DiffId | None = None) -> Layer:
        """Prepared for mounting and under its name, pinned until it is recorded.

        Raises InvalidArgument when it is not the expected layer, or is broken or hostile. Takes as
        long as unpacking: off the loop.
        """
        diff_id = DiffId(self._hasher.digest())
        if expected is not None and diff_id != expected:
            raise InvalidArgument(f"layer digest mismatch: expected {expected}, got {diff_id}")
        self._close()
        contents = self._layers.settle(self._incoming, diff_id)
        return Layer(
            diff_id=diff_id,
            tar_bytes=self._hasher.size_bytes,
            content_bytes=contents.content_bytes,
            entries=contents.entries,
        )

    def abort(self) -> None:
        """Forget what was written; harmless after a commit."""
        self._hasher.close()
        self._close()
        shutil.rmtree(self._incoming, ignore_errors=True)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """A file's bytes, read-only, by mmap."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            yield memoryview(b"")
            return
        data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    data.madvise(mmap.MADV_SEQUENTIAL)
    view = memoryview(data)
    try:
        yield view
    finally:
        with suppress(BufferError):  # a traceback still holds a slice: freed with it
            view.release()
            data.close()
