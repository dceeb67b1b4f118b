"""The driver *tar + EROFS index*: nothing is unpacked, the kernel reads files out of the tar.

Needs EROFS mounted from a plain file (Linux 6.12). Where overlayfs takes a detached mount for a
lower (6.15), a layer's mount is only a descriptor here: not in the mount table, which every new
container would copy, and gone with this process. Else it is attached below the run folder.
"""

import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from knarr.kernel import mount
from knarr.snapshot.contents import Contents
from knarr.snapshot.erofs.build import INDEX, NAME, build_index, is_index_of
from knarr.snapshot.overlay import view
from knarr.snapshot.tar import END, LIMITS, Limits, Member, formatted, header

_TAR: Final = "layer.tar"
_DESCRIPTORS: Final = 256  # of mounted layers kept at once; mounts of overlays hold their own


class TarIndex:
    """``<folder>/index.erofs``, mounted once and shared by all containers."""

    name = NAME
    made = INDEX

    def __init__(self, run_root: Path, *, detached: bool) -> None:
        self._points = run_root / "layers"
        self._detached = detached
        self._lock = threading.Lock()
        self._mounts: OrderedDict[Path, int] = OrderedDict()

    takes_members = True

    def build(
        self,
        tar: memoryview,
        folder: Path,
        limits: Limits,
        members: Sequence[Member] | None = None,
    ) -> Contents:
        return build_index(tar, folder, limits, members)

    def has(self, folder: Path) -> bool:
        return (folder / INDEX).is_file()

    def is_sound(self, tar: memoryview, folder: Path, scratch: Path, limits: Limits) -> bool:  # noqa: ARG002
        return is_index_of(tar, folder / INDEX, limits)

    def lower(self, folder: Path) -> Path:
        with self._lock:
            return self._descriptor(folder) if self._detached else self._attached(folder)

    def release(self, folder: Path) -> None:
        with self._lock:
            fd = self._mounts.pop(folder, None)
            if fd is not None:
                os.close(fd)
            point = self._points / folder.name
            if point.is_dir():
                with suppress(OSError):
                    mount.unmount(os.fspath(point), lazy=True)
                point.rmdir()

    def close(self) -> None:
        """Let go of all mounts; overlays that stand on them go on."""
        for folder in list(self._mounts):
            self.release(folder)
        for point in self._points.glob("*"):
            self.release(point)

    def _descriptor(self, folder: Path) -> Path:
        fd = self._mounts.get(folder)
        if fd is None:
            fd = self._mounts[folder] = _mounted(folder)
            if len(self._mounts) > _DESCRIPTORS:
                _, oldest = self._mounts.popitem(last=False)
                os.close(oldest)
        self._mounts.move_to_end(folder)
        return Path(f"/proc/self/fd/{fd}")

    def _attached(self, folder: Path) -> Path:
        point = self._points / folder.name
        if not point.is_dir() or not mount.is_mount_point(os.fspath(point)):
            point.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = _mounted(folder)
            try:
                mount.attach(fd, os.fspath(point))
            finally:
                os.close(fd)
        return point


def _mounted(folder: Path) -> int:
    """A detached mount of the layer. Raises OSError in the kernel's words."""
    with mount.Filesystem("erofs") as erofs:
        erofs.text("source", os.fspath(folder / INDEX))
        erofs.text("device", os.fspath(folder / _TAR))
        erofs.flag("ro")
        return erofs.mount(mount.MOUNT_ATTR_RDONLY)


def mountable(data_root: Path, run_root: Path) -> TarIndex | None:
    """The driver in the way this kernel can, or None; asked by doing it with a tiny layer.

    Version numbers and lists of file systems lie: distributions carry changes back, and a
    container has the list of its host without the right to mount.
    """
    for detached in (True, False):
        driver = TarIndex(run_root, detached=detached)
        folder = data_root / "layers" / "tmp" / f"probe-{os.urandom(4).hex()}"
        with ExitStack() as undo:
            folder.mkdir(parents=True)
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            undo.callback(driver.release, folder)
            with suppress(OSError):
                if _works(driver, folder):
                    return driver
    return None


def _works(driver: TarIndex, folder: Path) -> bool:
    content = b"read out of a tar"
    member = Member(b"file", header.REGULAR, 0o644, 0, 0, len(content), 0)
    tar = formatted(member) + content.ljust(header.BLOCK, b"\0") + END
    (folder / _TAR).write_bytes(tar)
    driver.build(memoryview(tar), folder, LIMITS)
    beside = folder / "beside"
    beside.mkdir()
    with view([driver.lower(folder), beside], folder) as merged:
        fd = os.open("file", os.O_RDONLY, dir_fd=merged)
        try:
            return os.read(fd, 100) == content
        finally:
            os.close(fd)
