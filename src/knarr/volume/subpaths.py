"""Parts of volumes, bound where nobody in a container can exchange them for something else."""

import hashlib
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from knarr.errors import InvalidArgument, KnarrError
from knarr.kernel import mount
from knarr.kernel.openat2 import openat2
from knarr.spec.record import MountPlan
from knarr.volume.data import open_folder
from knarr.volume.model import Volume


class Subpaths:
    """A folder for each container that mounts such parts, in the run root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def bind(self, volume: Volume, plan: MountPlan, container: str) -> str:
        """Where the part is bound. Raises InvalidArgument where it is missing or leads outside."""
        place = self._place(plan, container)
        try:
            part = _open_beneath(volume.mountpoint, plan.subpath)
        except OSError as error:
            raise InvalidArgument(
                f"cannot access path {plan.subpath} in volume {volume.name}: {error.strerror}"
            ) from error
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if os.path.isdir(f"/proc/self/fd/{part}"):
                place.mkdir(exist_ok=True)
            else:
                place.touch()
            mount.mount(f"/proc/self/fd/{part}", str(place), "", mount.MS_BIND | mount.MS_REC)
        except OSError as error:
            raise KnarrError(f"mounting {plan.subpath} of volume {volume.name}: {error}") from error
        finally:
            os.close(part)
        return str(place)

    def unbind(self, plan: MountPlan, container: str) -> None:
        """Never fails: what stays is cleared at the next start of the daemon."""
        place = self._place(plan, container)
        if place.exists():
            with suppress(OSError):
                mount.unmount(str(place), lazy=True)
                _remove_place(place)
                place.parent.rmdir()

    def clear(self, running: Collection[str]) -> None:
        """At the daemon's start: unbind what no running container uses."""
        if not self._root.is_dir():
            return
        for folder in self._root.iterdir():
            if folder.name in running:
                continue
            for place in mount.mounts_beneath(str(folder))[::-1]:
                with suppress(OSError):
                    mount.unmount(place, lazy=True)
            if not mount.mounts_beneath(str(folder)):
                shutil.rmtree(folder, ignore_errors=True)

    def _place(self, plan: MountPlan, container: str) -> Path:
        digits = hashlib.sha256(plan.destination.encode()).hexdigest()[:16]
        return self._root / container / digits


def _remove_place(place: Path) -> None:
    """What something was mounted on: a directory or a file, empty."""
    if place.is_dir():
        place.rmdir()
    else:
        place.unlink()


def _open_beneath(path: str, subpath: str) -> int:
    root = open_folder(path)
    try:
        return openat2(root, subpath, os.O_PATH)
    finally:
        os.close(root)
