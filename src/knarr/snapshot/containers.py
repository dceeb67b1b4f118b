"""Each container's writable layer: ``<data root>/containers/<id>/{upper,work}``."""

# ruff: noqa: ARG002

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from knarr.errors import Unsupported
from knarr.ids import ContainerId, DiffId
from knarr.snapshot.layers import Layers
from knarr.store import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of ``docker diff``: a path Added, Changed or Deleted."""

    kind: Literal["A", "C", "D"]
    path: str


class ContainerLayers:
    """Writable layers. All methods are synchronous; mounting takes half a millisecond."""

    def __init__(self, db: Database, layers: Layers, data_root: Path, run_root: Path) -> None:
        self._db = db
        self._layers = layers
        self._data = data_root / "containers"
        self._run = run_root / "containers"

    def prepare(self, container: ContainerId, diff_ids: Sequence[DiffId]) -> None:
        """Make the container's folders and hold its layers. In the loop: writes rows."""
        raise Unsupported("prepare")

    def mount(self, container: ContainerId, *, volatile: bool = False, user: str = "run") -> Path:
        """The root filesystem, mounted on ``<run root>/containers/<id>/rootfs``.

        Idempotent for each ``user``; it stays mounted until the last user unmounts.
        volatile: nothing of it is ever synced: for ``--rm`` and build steps, which a crash ends.
        """
        raise Unsupported("mount")

    def unmount(self, container: ContainerId, *, user: str = "run") -> None:
        """Slow where much was written (the kernel syncs): off the loop, unless volatile."""
        raise Unsupported("unmount")

    @contextmanager
    def mounted(self, container: ContainerId) -> Iterator[Path]:
        """The root filesystem for the length of a block, whether the container runs or not."""
        raise Unsupported("mounted")

    def size_bytes(self, container: ContainerId) -> int:
        """What the container itself wrote. Walks the upper directory: off the loop."""
        raise Unsupported("size")

    def changes(self, container: ContainerId) -> tuple[Change, ...]:
        """What `docker diff` shows, by path. Walks the upper directory: off the loop."""
        raise Unsupported("changes")

    def remove(self, container: ContainerId) -> None:
        """Unmount and delete what the container wrote, and let go of its layers."""
        raise Unsupported("remove")
