"""The init layer: what every container has in its root, whatever the image holds.

Mount points for /dev, /proc and /sys, and the files that the engine puts its own over. They lie in
a layer between the image and the container, so that neither `diff` nor `commit` tells of them. One
is made for each chain of layers and shared by its containers; it is derived, and can be deleted.

Source: Docker, "initlayer"; the OCI runtime spec's default file systems.
"""

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from knarr.kernel.openat2 import RESOLVE_NO_SYMLINKS, open_directory
from knarr.snapshot.overlay import view

_DIRECTORY: Final = "directory"
_FILE: Final = "file"
_ENTRIES: Final[dict[str, str]] = {
    "dev": _DIRECTORY,
    "dev/pts": _DIRECTORY,
    "dev/shm": _DIRECTORY,
    "dev/console": _FILE,
    "proc": _DIRECTORY,
    "sys": _DIRECTORY,
    "etc": _DIRECTORY,
    "etc/hosts": _FILE,
    "etc/hostname": _FILE,
    "etc/resolv.conf": _FILE,
    ".dockerenv": _FILE,
}
_LINKS: Final = {"etc/mtab": "/proc/mounts"}
_TREE: Final = "fs"


def init_layer(folder: Path, lowers: Sequence[Path]) -> Path:
    """The init layer for a chain whose lowers (topmost first) are given; made if need be."""
    tree = folder / _TREE
    if tree.is_dir():
        return tree
    incoming = folder.with_name(f"{folder.name}.{os.urandom(4).hex()}")
    (incoming / _TREE).mkdir(parents=True, mode=0o755)
    try:
        with view(lowers, incoming) as image:
            _fill(incoming / _TREE, image)
        os.rename(incoming, folder)
    except OSError:
        shutil.rmtree(incoming, ignore_errors=True)
        if not tree.is_dir():  # else somebody was faster
            raise
    return tree


def _fill(tree: Path, image: int) -> None:
    """Only what the image lacks; a folder that it has keeps its owner and mode."""
    for name, kind in _ENTRIES.items():
        parent, _, base = name.rpartition("/")
        there = _status(image, parent, base)
        if there is not None and (kind is _DIRECTORY or stat.S_ISREG(there.st_mode)):
            continue
        if parent and not _copy_folder(tree, image, parent):
            continue
        path = tree / name
        path.mkdir(mode=0o755) if kind is _DIRECTORY else path.touch(mode=0o755)  # as Docker
    for name, target in _LINKS.items():
        parent, _, base = name.rpartition("/")
        if _status(image, parent, base) is None and _copy_folder(tree, image, parent):
            (tree / name).symlink_to(target)
    for name in ("dev", "etc"):
        there = _status(image, "", name)
        if there is not None and (tree / name).is_dir():
            os.utime(tree / name, ns=(there.st_mtime_ns, there.st_mtime_ns))


def _copy_folder(tree: Path, image: int, name: str) -> bool:
    """The image's folder once more, empty. False where it is a link or a file: best left alone."""
    path = tree / name
    if path.is_dir():
        return True
    there = _status(image, "", name)
    if there is None or not stat.S_ISDIR(there.st_mode):
        return False
    path.mkdir()
    os.chown(path, there.st_uid, there.st_gid)
    path.chmod(stat.S_IMODE(there.st_mode))
    return True


def _status(image: int, parent: str, base: str) -> os.stat_result | None:
    try:
        folder = open_directory(image, parent, resolve=RESOLVE_NO_SYMLINKS)
    except OSError:
        return None
    try:
        return os.stat(base, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    finally:
        os.close(folder)
