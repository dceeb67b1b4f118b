"""What an upper directory says has changed, against the image below it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from knarr.snapshot.model import Change
from knarr.snapshot.unpack import OPAQUE_XATTR

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def changes(upper: int, image: int | None) -> Iterator[Change]:
    """Paths Added, Changed and Deleted, parents before children, by name.

    ``upper`` and ``image`` (the merged lowers) are descriptors of directories. A directory counts
    as changed when anything in it has, or its owner or mode.
    """
    yield from _beneath(upper, image, b"", opaque=False)


def is_whiteout(there: os.stat_result) -> bool:
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def is_opaque(folder: int | Path) -> bool:
    try:
        return os.getxattr(folder, OPAQUE_XATTR) == b"y"
    except OSError:
        return False


def _beneath(upper: int, image: int | None, path: bytes, *, opaque: bool) -> Iterator[Change]:
    """opaque: this folder or one above hides what the image has at this place."""
    for base in sorted(map(os.fsencode, os.listdir(upper))):
        there = os.stat(base, dir_fd=upper, follow_symlinks=False)
        before = _status(image, base)
        name = path + b"/" + base
        if is_whiteout(there):
            yield _change("D", name)
        elif stat.S_ISDIR(there.st_mode):
            yield from _folder(upper, image, base, name, opaque=opaque)
        elif before is None or not _same(there, before):
            yield _change("A" if before is None else "C", name)
    for base in _lost(upper, image) if opaque else ():
        yield _change("D", path + b"/" + base)


def _folder(
    upper: int, image: int | None, base: bytes, name: bytes, *, opaque: bool
) -> Iterator[Change]:
    there, before = os.stat(base, dir_fd=upper), _status(image, base)
    was_folder = image is not None and before is not None and stat.S_ISDIR(before.st_mode)
    fd = os.open(base, _FOLDER, dir_fd=upper)
    below = os.open(base, _FOLDER, dir_fd=image) if was_folder else None
    try:
        inside = list(_beneath(fd, below, name, opaque=opaque or is_opaque(fd)))
        if before is None:
            yield _change("A", name)
        elif inside or not _same(there, before):
            yield _change("C", name)
        yield from inside
    finally:
        os.close(fd)
        if below is not None:
            os.close(below)


def _lost(upper: int, below: int | None) -> list[bytes]:
    """What an opaque folder hides and does not have itself."""
    if below is None:
        return []
    return sorted(map(os.fsencode, set(os.listdir(below)) - set(os.listdir(upper))))


def _same(there: os.stat_result, before: os.stat_result) -> bool:
    """Copied up, and not changed. Of a folder, size and time are no change, as in Docker."""
    if (there.st_mode, there.st_uid, there.st_gid, there.st_rdev) != (
        before.st_mode, before.st_uid, before.st_gid, before.st_rdev,
    ):  # fmt: skip
        return False
    return stat.S_ISDIR(there.st_mode) or (
        (there.st_size, there.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    )


def _status(folder: int | None, base: bytes) -> os.stat_result | None:
    if folder is None:
        return None
    try:
        return os.stat(base, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _change(kind: str, name: bytes) -> Change:
    return Change(kind=kind, path=os.fsdecode(name))  # type: ignore[arg-type]
