"""Images mounted in containers: ``--mount type=image``. Read-only, shared layers, no copy.

A mounted image is an overlay of its layers at ``<run root>/images/<container>/<digits>``. While a
container has it, its layers are held, whatever becomes of the image's names.
"""

import hashlib
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import ContainerId, DiffId, Digest
from knarr.image import Image
from knarr.kernel import mount
from knarr.kernel.openat2 import openat2
from knarr.snapshot import Layers
from knarr.snapshot.overlay import mount_overlay
from knarr.snapshot.rows import hold_layers, release_layers
from knarr.spec.record import MountPlan
from knarr.store import Database

_HOLDER: Final = "image-mounts/"


def with_image(plan: MountPlan, image: Image) -> MountPlan:
    """The mount once it is known which image it means: by ID from now on."""
    return replace(plan, name=plan.source, source=image.id, layers=image.diff_ids)


class ImageMounts:
    """What keeps images mounted for containers, and lets go of them."""

    def __init__(self, *, db: Database, layers: Layers, run_root: Path) -> None:
        self._db = db
        self._layers = layers
        self._run = run_root / "images"

    def hold(self, container: ContainerId, plans: Collection[MountPlan]) -> None:
        """Keep the layers of all images that the container mounts, until ``release``."""
        wanted = dict.fromkeys(
            DiffId(Digest(each)) for plan in plans if plan.kind == "image" for each in plan.layers
        )
        if wanted:
            with self._db.transaction() as tx:
                hold_layers(tx, _HOLDER + container, wanted)

    def release(self, container: ContainerId) -> None:
        """The container is gone."""
        with self._db.transaction() as tx:
            release_layers(tx, _HOLDER + container)

    def mount(self, container: ContainerId, plan: MountPlan, *, id_map: int | None = None) -> str:
        """Mount the image (again is fine); where it is, or the part of it that was asked for.

        id_map: as ``mount_overlay`` has it.
        Raises KnarrError with the kernel's reason, InvalidArgument for a missing subpath.
        """
        place = self._place(container, plan)
        if not mount.is_mount_point(os.fspath(place)):
            place.mkdir(mode=0o711, parents=True, exist_ok=True)
            try:
                self._mount(place, plan, id_map)
            except OSError as error:
                raise KnarrError(f"mounting image {plan.name}: {error}") from error
        return _part(place, plan) if plan.subpath else os.fspath(place)

    def _mount(self, place: Path, plan: MountPlan, id_map: int | None) -> None:
        lowers = self._layers.lowers([DiffId(Digest(each)) for each in plan.layers])
        if lowers:
            mount_overlay(place, lowers, None, id_map=id_map)

    def clear(self, container: ContainerId) -> None:
        """The container's run has ended. Never fails."""
        folder = self._run / container
        for point in reversed(mount.mounts_beneath(os.fspath(folder))):
            with suppress(OSError):
                mount.unmount(point, lazy=True)
        if not mount.mounts_beneath(os.fspath(folder)):
            shutil.rmtree(folder, ignore_errors=True)

    def restore(self, running: Collection[str]) -> None:
        """At the daemon's start: unmount what no running container uses."""
        if self._run.is_dir():
            for folder in self._run.iterdir():
                if folder.name not in running:
                    self.clear(ContainerId(folder.name))

    def _place(self, container: ContainerId, plan: MountPlan) -> Path:
        digits = hashlib.sha256(plan.destination.encode()).hexdigest()[:16]
        return self._run / container / digits


def _part(place: Path, plan: MountPlan) -> str:
    """A path without links: nobody can change what lies in an image."""
    root = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        part = openat2(root, plan.subpath, os.O_PATH)
    except OSError as error:
        raise InvalidArgument(
            f"cannot access path {plan.subpath} in image {plan.name}: {error.strerror}"
        ) from error
    finally:
        os.close(root)
    try:
        return os.readlink(f"/proc/self/fd/{part}")
    finally:
        os.close(part)
