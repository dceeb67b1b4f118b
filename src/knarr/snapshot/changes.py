"""What an upper directory says has changed, against the image below it."""

import os
import stat
from collections.abc import Iterator
from typing import Final

from knarr.snapshot.model import Change
from knarr.snapshot.unpack import OPAQUE_XATTR

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def changes(upper: int, image: int | None) -> Iterator[Change]:
    """Paths Added, Changed and Deleted, parents before children, by name.

    ``upper`` and ``image`` (the merged lowers) are descriptors of directories. A directory counts
    as changed when anything in it has.
    """
    yield from _beneath(upper, image, b"")


def is_whiteout(there: os.stat_result) -> bool:
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def is_opaque(folder: int) -> bool:
    try:
        return os.getxattr(folder, OPAQUE_XATTR) == b"y"
    except OSError:
        return False


def _beneath(upper: int, image: int | None, path: bytes) -> Iterator[Change]:
    for base in sorted(os.fsencode(name) for name in os.listdir(upper)):
        there = os.stat(base, dir_fd=upper, follow_symlinks=False)
        name = path + b"/" + base
        before = _status(image, base)
        if is_whiteout(there):
            yield _change("D", name)
        elif not stat.S_ISDIR(there.st_mode):
            yield _change("A" if before is None else "C", name)
        else:
            yield from _folder(upper, image, base, name, there, before)


def _folder(
    upper: int,
    image: int | None,
    base: bytes,
    name: bytes,
    there: os.stat_result,
    before: os.stat_result | None,
) -> Iterator[Change]:
    was_folder = before is not None and stat.S_ISDIR(before.st_mode)
    fd = os.open(base, _FOLDER, dir_fd=upper)
    below = os.open(base, _FOLDER, dir_fd=image) if was_folder and image is not None else None
    try:
        opaque = is_opaque(fd)
        inside = list(_beneath(fd, None if opaque else below, name))
        if before is None:
            yield _change("A", name)
        elif opaque or inside or not _same(there, before):
            yield _change("C", name)
        yield from inside
        if opaque and below is not None:
            kept = set(os.listdir(fd))
            for gone in sorted(set(os.listdir(below)) - kept):
                yield _change("D", name + b"/" + os.fsencode(gone))
    finally:
        os.close(fd)
        if below is not None:
            os.close(below)


def _same(there: os.stat_result, before: os.stat_result) -> bool:
    """A folder that was copied up only because something beneath it was."""
    return (there.st_mode, there.st_uid, there.st_gid, there.st_mtime_ns) == (
        before.st_mode, before.st_uid, before.st_gid, before.st_mtime_ns,
    )  # fmt: skip


def _status(folder: int | None, base: bytes) -> os.stat_result | None:
    if folder is None:
        return None
    try:
        return os.stat(base, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _change(kind: str, name: bytes) -> Change:
    return Change(kind=kind, path=os.fsdecode(name))  # type: ignore[arg-type]
