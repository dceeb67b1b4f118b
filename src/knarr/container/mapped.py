"""Second mounts that containers get in place of what they mean, for the length of a run.

Of a volume, for a container with a user namespace, one that shows root's files as its root's: on
the disk owners are what they are inside, so that all containers see the same, remapped or not. Of a
bind that leaves out what is mounted beneath, one that has nothing beneath: crun takes all along.
They are at ``<run root>/mapped/<container>/<digits>``.
"""

import hashlib
import logging
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from knarr.ids import ContainerId
from knarr.kernel import mount
from knarr.spec.record import MountPlan

_log = logging.getLogger("knarr.container")


class MappedMounts:
    """What makes mapped mounts for a run, and takes them away after it."""

    def __init__(self, run_root: Path) -> None:
        self._run = run_root / "mapped"

    def mount(self, container: ContainerId, plan: MountPlan, id_map: int) -> str:
        """Show ``plan.source`` mapped; where it is. A file system that cannot is shown as it is."""
        place = self._place(container, plan)
        if mount.is_mount_point(os.fspath(place)):
            return os.fspath(place)
        with mount.detached(mount.open_tree(plan.source)) as clone:
            try:
                mount.id_map(clone, id_map)
            except OSError as error:
                _log.warning(
                    "container %s: %s is shown with its owners as they are on the host: its file"
                    " system cannot map them (%s)", container, plan.destination, error.strerror
                )  # fmt: skip
                return plan.source
            _attach(clone, plan.source, place)
        return os.fspath(place)

    def alone(self, container: ContainerId, plan: MountPlan) -> str:
        """Show ``plan.source`` without what is mounted beneath it; where it is."""
        place = self._place(container, plan)
        if not mount.is_mount_point(os.fspath(place)):
            with mount.detached(mount.open_tree(plan.source)) as clone:
                _attach(clone, plan.source, place)
        return os.fspath(place)

    def _place(self, container: ContainerId, plan: MountPlan) -> Path:
        digits = hashlib.sha256(plan.destination.encode()).hexdigest()[:16]
        return self._run / container / digits

    def clear(self, container: ContainerId) -> None:
        """The container's run has ended. Never fails, and never deletes what is mounted."""
        folder = self._run / container
        if not folder.is_dir():
            return
        points = mount.mounts_beneath(os.fspath(folder))
        for point in points:  # first, or the host's own mounts of a shared tree would go as well
            with suppress(OSError):
                mount.set_propagation(point, "private")
        for point in reversed(points):
            with suppress(OSError):
                mount.unmount(point, lazy=True)
        with suppress(OSError):
            for place in folder.iterdir():
                place.rmdir() if place.is_dir() else place.unlink()
            folder.rmdir()

    def restore(self, running: Collection[str]) -> None:
        """At the daemon's start: take away what no running container uses."""
        if self._run.is_dir():
            for folder in self._run.iterdir():
                if folder.name not in running:
                    self.clear(ContainerId(folder.name))


def _attach(clone: int, source: str, place: Path) -> None:
    if os.path.isdir(source):
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
    else:
        place.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        place.touch()
    mount.attach(clone, os.fspath(place))
