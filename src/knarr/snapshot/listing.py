"""What a layer's directory holds, entry by entry: for people who want to know what it adds."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from knarr.ids import DiffId
from knarr.snapshot.changes import is_opaque, is_whiteout

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


Content = tuple[DiffId | None, bytes]
"""Where a regular file is read from: layer and path; nowhere for other kinds."""

NO_CONTENT: Final[Content] = (None, b"")


class Entry(NamedTuple):
    """One name in a layer; a NamedTuple, because there are tens of thousands."""

    path: bytes  # no slash at either end; parents come first
    mode: int  # with the kind of file
    uid: int = 0
    gid: int = 0
    size: int = 0  # bytes of a regular file, 0 of a further hard link to one
    content: Content = NO_CONTENT  # layer and path to read a regular file from
    link: bytes = b""  # of a symbolic link
    device: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    whiteout: bool = False
    opaque: bool = False

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


def listed(layer: DiffId, folder: Path) -> Iterator[Entry]:
    """All entries beneath a layer's directory, parents before children. ``layer`` names it.

    The root's own entry is there only if it is opaque. Takes a moment: off the loop.
    """
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    first: set[tuple[int, int]] = set()
    try:
        if is_opaque(root):
            yield Entry(b"", stat.S_IFDIR, opaque=True)
        yield from _beneath(layer, root, b"", first)
    finally:
        os.close(root)


def _beneath(
    layer: DiffId, folder: int, prefix: bytes, first: set[tuple[int, int]]
) -> Iterator[Entry]:
    for base in sorted(map(os.fsencode, os.listdir(folder))):
        there = os.stat(base, dir_fd=folder, follow_symlinks=False)
        path = prefix + base
        if is_whiteout(there):
            yield Entry(path, there.st_mode, whiteout=True)
            continue
        if stat.S_ISDIR(there.st_mode):
            fd = os.open(base, _FOLDER, dir_fd=folder)
            try:
                yield _entry(layer, path, there, fd, first)._replace(opaque=is_opaque(fd))
                yield from _beneath(layer, fd, path + b"/", first)
            finally:
                os.close(fd)
        elif stat.S_ISREG(there.st_mode):
            fd = os.open(base, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                yield _entry(layer, path, there, fd, first)
            finally:
                os.close(fd)
        else:
            link = os.readlink(base, dir_fd=folder) if stat.S_ISLNK(there.st_mode) else b""
            yield _entry(layer, path, there, None, first)._replace(link=link)


def _entry(
    layer: DiffId, path: bytes, there: os.stat_result, fd: int | None, first: set[tuple[int, int]]
) -> Entry:
    size, content = 0, NO_CONTENT
    if stat.S_ISREG(there.st_mode):
        inode = (there.st_dev, there.st_ino)
        size, content = 0 if inode in first else there.st_size, (layer, path)
        if there.st_nlink > 1:
            first.add(inode)
    return Entry(
        path, there.st_mode, there.st_uid, there.st_gid, size, content, device=there.st_rdev,
        xattrs=_xattrs(fd) if fd is not None else (),
    )  # fmt: skip


def _xattrs(fd: int) -> tuple[tuple[str, bytes], ...]:
    return tuple(
        (key, os.getxattr(fd, key))
        for key in sorted(os.listxattr(fd))
        if not key.startswith("trusted.overlay.")
    )
