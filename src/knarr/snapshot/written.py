"""What one container wrote: the folders ``upper`` and ``work``, plain or on a disk of their own.

All functions take the container's folder; who has a disk is seen by its file.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from knarr.snapshot.disk import DISK, disk_attached, disk_mounted, has_disk, make_disk
from knarr.snapshot.disksize import DiskSize

_FOLDERS: Final = ("upper", "work")


def make_plain(folder: Path) -> None:
    for name in _FOLDERS:
        (folder / name).mkdir(mode=0o755, exist_ok=True)


def make_bounded(folder: Path, size: DiskSize) -> None:
    """On a disk, instead of the plain folders. Off the loop."""
    make_disk(folder, size)
    for name in _FOLDERS:
        (folder / name).rmdir()


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """Where the two are, for the length of a block."""
    if not has_disk(folder):
        yield folder
        return
    with disk_mounted(folder) as place:
        yield place


@contextmanager
def for_overlay(folder: Path, point: Path) -> Iterator[Path]:
    """The same while an overlay is made of them, which from then on holds them itself.

    ``point`` is where a disk may be mounted meanwhile.
    """
    if not has_disk(folder):
        yield folder
        return
    with disk_attached(folder, point) as place:
        yield place


@contextmanager
def upper_of(folder: Path) -> Iterator[int]:
    """A descriptor of ``upper``, for the length of a block."""
    with opened(folder) as place:
        fd = os.open(place / "upper", os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)


def places(folder: Path) -> dict[str, str]:
    """As `inspect` names them. What is on a disk has no path on the host."""
    if has_disk(folder):
        return {"Disk": str(folder / DISK)}
    return {"UpperDir": str(folder / "upper"), "WorkDir": str(folder / "work")}


def set_aside(folder: Path, trash: Path) -> None:
    for name in (*_FOLDERS, DISK):
        with suppress(FileNotFoundError):
            os.rename(folder / name, trash / name)


def tree_bytes(folder: Path) -> int:
    """Bytes of the regular files beneath, each inode once. Takes long: off the loop."""
    total, seen = 0, set()
    pending = [os.fspath(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                there = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(there.st_mode):
                    pending.append(entry.path)
                elif there.st_nlink == 1 or (there.st_dev, there.st_ino) not in seen:
                    seen.add((there.st_dev, there.st_ino))
                    total += there.st_size
    return total
