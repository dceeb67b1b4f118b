"""Each container's writable layer, and the root filesystem made of it and an image.

<data root>/containers/<id>/{upper,work}    what the container wrote, overlayfs' own folder;
                                            with a bound on its size, on a disk of its own (disk.py)
<data root>/inits/<chain>/fs                the init layer, one for each chain of layers
<run root>/containers/<id>/rootfs           where the whole is mounted
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from knarr.errors import KnarrError, NotFound, Unavailable
from knarr.ids import ContainerId, DiffId
from knarr.kernel import mount
from knarr.snapshot import rows, written
from knarr.snapshot.changes import changes
from knarr.snapshot.disk import detach_disk
from knarr.snapshot.disksize import DiskSize
from knarr.snapshot.init import init_layer
from knarr.snapshot.layers import Layers
from knarr.snapshot.model import Change, Layer, chain_id
from knarr.snapshot.overlay import Writable, mount_overlay, view
from knarr.snapshot.pack import pack
from knarr.store import Database

HOLDER: Final = "container/"
_POINT: Final = "disk"  # where a disk is for the moment in which an overlay is made of it


class _Seat:
    """Who uses one container's mount; the lock is held while that changes."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users: set[str] = set()


class ContainerLayers:
    """Writable layers. All methods are synchronous; mounting takes half a millisecond."""

    def __init__(self, db: Database, layers: Layers, data_root: Path, run_root: Path) -> None:
        self._db = db
        self._layers = layers
        self._data = data_root / "containers"
        self._inits = data_root / "inits"
        self._run = run_root / "containers"
        for folder in (self._data, self._inits, self._run):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._seats: dict[ContainerId, _Seat] = {}
        self._chains = {ContainerId(name): chain for name, chain in rows.chains(db, HOLDER).items()}

    def prepare(self, container: ContainerId, diff_ids: Sequence[DiffId]) -> None:
        """Make the container's folders and hold its layers. In the loop: writes rows."""
        with self._db.transaction() as tx:
            rows.hold_layers(tx, HOLDER + container, diff_ids)
        self._chains[container] = tuple(diff_ids)
        folder = self._data / container
        folder.mkdir(mode=0o711, exist_ok=True)
        written.make_plain(folder)

    def bound(self, container: ContainerId, size: DiskSize) -> None:
        """Let what is written be no more than that, from the start on. Off the loop."""
        written.make_bounded(self._data / container, size)

    def rootfs(self, container: ContainerId) -> Path:
        """Where the root filesystem is while it is mounted."""
        return self._run / container / "rootfs"

    def upper(self, container: ContainerId) -> Path:
        """What a container without a bound wrote, in overlayfs' form."""
        return self._data / container / "upper"

    def graph(self, container: ContainerId) -> dict[str, str]:
        """What `inspect` shows as GraphDriver.Data: Docker's keys, and ``Disk`` for a disk."""
        chain = self._chains.get(container, ())
        init = self._inits / _init_name(chain) / "fs"
        return {
            "LowerDir": ":".join(map(str, (init, *self._layers.places(chain)))),
            "MergedDir": str(self.rootfs(container)),
            **written.places(self._data / container),
        }

    def mount(
        self,
        container: ContainerId,
        *,
        volatile: bool = False,
        user: str = "run",
        id_map: int | None = None,
    ) -> Path:
        """The root filesystem, mounted on ``<run root>/containers/<id>/rootfs``.

        Idempotent for each ``user``; it stays mounted until the last user unmounts.
        volatile: nothing of it is ever synced: for ``--rm`` and build steps, which a crash ends.
        id_map: as ``mount_overlay`` has it; who comes first decides.
        """
        target = self.rootfs(container)
        with self._held(container) as users:
            if not users:
                self._mount(container, target, volatile=volatile, id_map=id_map)
            users.add(user)
        return target

    def adopt(self, container: ContainerId, *, user: str = "run") -> None:
        """After a restart of the daemon: this one is still mounted, and in use."""
        with self._held(container) as users:
            users.add(user)

    def unmount(self, container: ContainerId, *, user: str = "run") -> None:
        """Slow where much was written (the kernel syncs): off the loop, unless volatile."""
        with self._held(container) as users:
            if user in users:
                users.remove(user)
                if not users:
                    self._unmount(container)

    @contextmanager
    def _held(self, container: ContainerId) -> Iterator[set[str]]:
        """The container's users, while nobody else mounts or unmounts it."""
        with self._lock:
            seat = self._seats.setdefault(container, _Seat())
        with seat.lock:
            yield seat.users

    def _mount(
        self, container: ContainerId, target: Path, *, volatile: bool, id_map: int | None
    ) -> None:
        point = self._run / container / _POINT
        target.mkdir(mode=0o711, parents=True, exist_ok=True)
        with written.for_overlay(self._data / container, point) as folder:
            # What a volatile mount leaves when it is cut off; the kernel refuses to go on then.
            with suppress(FileNotFoundError, NotADirectoryError):
                shutil.rmtree(folder / "work" / "work" / "incompat")
            writable = Writable(upper=folder / "upper", work=folder / "work", volatile=volatile)
            try:
                mount_overlay(target, self._lowers(container), writable, id_map=id_map)
            except OSError as error:
                raise KnarrError(f"mounting the root filesystem of {container}: {error}") from error

    def _unmount(self, container: ContainerId) -> None:
        """Lazily, since a process that has just ended may still be letting go."""
        target = self.rootfs(container)
        with suppress(OSError):
            mount.unmount(os.fspath(target), lazy=True)
        with suppress(OSError):
            target.rmdir()
            target.parent.rmdir()

    @contextmanager
    def mounted(self, container: ContainerId, *, id_map: int | None = None) -> Iterator[Path]:
        """The root filesystem for the length of a block, whether the container runs or not."""
        user = f"block/{os.urandom(8).hex()}"
        path = self.mount(container, user=user, id_map=id_map)
        try:
            yield path
        finally:
            self.unmount(container, user=user)

    def size_bytes(self, container: ContainerId) -> int:
        """What the container itself wrote. Walks the upper directory: off the loop."""
        with written.opened(self._data / container) as folder:
            return written.tree_bytes(folder / "upper")

    def changes(self, container: ContainerId) -> tuple[Change, ...]:
        """What `docker diff` shows, by path. Walks the upper directory: off the loop."""
        lowers = self._lowers(container)
        with written.upper_of(self._data / container) as upper, view(lowers, self._inits) as image:
            return tuple(changes(upper, image))

    def layer(self, container: ContainerId) -> Layer:
        """What the container wrote as a new layer, stored and pinned: `commit`. Off the loop."""
        with written.upper_of(self._data / container) as upper, self._layers.writer() as writer:
            pack(upper, writer.write)
            return writer.commit()

    def export(self, container: ContainerId, sink: Callable[[bytes], None]) -> None:
        """The whole root filesystem as a tar, without volumes: `export`. Off the loop."""
        with self.mounted(container) as path:
            root = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                pack(root, sink)
            finally:
                os.close(root)

    def remove(self, container: ContainerId) -> None:
        """Unmount and delete what the container wrote, and let go of its layers.

        In the loop: writes rows. What takes long is left to ``empty_trash``, unless the disk is
        full: then there is no row without it.
        """
        with self._held(container) as users:
            users.clear()
            self._unmount(container)
        self._seats.pop(container, None)
        self._set_aside(container)
        try:
            self._release(container)
        except Unavailable:
            self.empty_trash()
            self._release(container)
        self._chains.pop(container, None)

    def _release(self, container: ContainerId) -> None:
        with self._db.transaction() as tx:
            rows.release_layers(tx, HOLDER + container)

    def _set_aside(self, container: ContainerId) -> None:
        folder = self._data / container
        trash = self._data / f".trash-{container}"
        trash.mkdir(exist_ok=True)
        written.set_aside(folder, trash)
        with suppress(OSError):  # others keep their files here too: who comes last takes it away
            folder.rmdir()

    def empty_trash(self) -> None:
        """Delete what removed containers wrote. Takes long: off the loop."""
        for entry in self._data.glob(".trash-*"):
            shutil.rmtree(entry, ignore_errors=True)

    def repair(self, running: Iterable[ContainerId]) -> list[str]:
        """At start: unmount what no running container uses. Returns what was found, in sentences.

        Containers that run keep their mounts, which outlive the daemon.
        """
        kept = set(running)
        for container in kept:
            self.adopt(container)
        found: list[str] = []
        for entry in self._run.iterdir():
            container = ContainerId(entry.name)
            detach_disk(entry / _POINT)
            if container in kept or not (entry / "rootfs").is_dir():
                continue
            if mount.mounts_beneath(os.fspath(entry / "rootfs")):
                found.append(
                    f"container {container}: unmounted its root filesystem, left by a crash"
                )
            self._unmount(container)
        self.empty_trash()
        self._sweep_inits()
        return found

    def _sweep_inits(self) -> None:
        """Init layers of chains that no container stands on any more; made anew when needed."""
        wanted = {_init_name(chain) for chain in self._chains.values()}
        for entry in self._inits.iterdir():
            if entry.name not in wanted:
                shutil.rmtree(entry, ignore_errors=True)

    def _lowers(self, container: ContainerId) -> tuple[Path, ...]:
        chain = self._chains.get(container)
        if chain is None:
            raise NotFound(f"container {container} has no layers")
        lowers = self._layers.lowers(chain)
        return (init_layer(self._inits / _init_name(chain), lowers), *lowers)


def _init_name(chain: Sequence[DiffId]) -> str:
    return (chain_id(chain) or "none").removeprefix("sha256:")
