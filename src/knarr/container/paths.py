"""Paths in a container's root: resolved, asked about, opened, and never outside of it.

A path that ends in ``/`` or ``/.`` means what a link at its end leads to; else the link itself.
"""

import os
import posixpath
import stat
from typing import Final

from knarr.kernel.openat2 import openat2
from knarr.spec.docker.container import PathStat
from knarr.units import timestamp

_LINKS_MAX: Final = 255
_GO_MODE: Final = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}


def absolute(path: str) -> str:
    """From the root, without ``..``, and with what it ended in: ``/`` or ``/.``."""
    clean = posixpath.normpath("/" + path)
    clean = "/" + clean.lstrip("/")
    if path.endswith("/."):
        return posixpath.join(clean, ".")
    if path.endswith("/") and clean != "/":
        return clean + "/"
    return clean


def base_name(path: str) -> str:
    """The last part as Go's filepath.Base has it: ``/`` of the root, ``.`` of ``/etc/.``."""
    return posixpath.basename(path.rstrip("/")) or "/"


def go_mode(mode: int) -> int:
    """A file's mode as Go numbers it: the type and setuid, setgid, sticky have other bits."""
    bits = mode & 0o777 | _GO_MODE.get(stat.S_IFMT(mode), 0)
    for flag, bit in ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20)):
        if mode & flag:
            bits |= bit
    return bits


def path_stat(root: int, path: str) -> PathStat:
    """What is at the absolute ``path``. Raises OSError, FileNotFoundError where nothing is."""
    found = openat2(root, path, os.O_PATH | os.O_NOFOLLOW)
    try:
        facts = os.fstat(found)
    finally:
        os.close(found)
    target = followed(root, path) if stat.S_ISLNK(facts.st_mode) else ""
    return PathStat(
        name=base_name(path),
        size=facts.st_size,
        mode=go_mode(facts.st_mode),
        mtime=timestamp(facts.st_mtime_ns),
        link_target=target,
    )


def followed(root: int, path: str) -> str:
    """Where the links of a path lead inside the root, as far as there is anything."""
    left = list(reversed([part for part in path.split("/") if part]))
    here: list[str] = []
    links = 0
    while left:
        part = left.pop()
        if part == ".":
            continue
        if part == "..":
            here = here[:-1]
            continue
        target = _link_target(root, "/".join(here), part) if links < _LINKS_MAX else None
        if target is None:
            here.append(part)
            continue
        links += 1
        here = [] if target.startswith("/") else here
        left.extend(reversed([each for each in target.split("/") if each]))
    return "/" + "/".join(here)


def _link_target(root: int, folder: str, name: str) -> str | None:
    """What the symbolic link says; None for anything else, and for nothing."""
    try:
        parent = openat2(root, folder or ".", os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None
    finally:
        os.close(parent)
