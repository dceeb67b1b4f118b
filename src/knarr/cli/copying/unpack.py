"""Unpacking an archive that came from a container: nothing in it may reach outside its folder."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from copy import copy

from knarr.cli.copying.plan import renamed
from knarr.errors import InvalidArgument


class PieceReader:
    """Pieces of bytes as a file to read from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        out = [self._rest[:size]]
        self._rest = self._rest[size:]
        missing = size - len(out[0])
        while missing > 0 and (piece := next(self._pieces, None)) is not None:
            out.append(piece[:missing])
            self._rest = piece[missing:]
            missing -= len(out[-1])
        return b"".join(out)


def unpack(
    pieces: Iterable[bytes],
    folder: str,
    landing_name: str | None,
    *,
    content: bool,
    keep_owners: bool,
) -> int:
    """Unpack in ``folder``; answers with the bytes of files. Raises InvalidArgument on an escape.

    content: the archive is of what is inside a folder.  keep_owners: the archive's user and group,
    not ours.
    """
    root = os.path.realpath(folder)
    size = 0
    with tarfile.open(fileobj=PieceReader(pieces), mode="r|") as tar:  # type: ignore[call-overload]
        # What has been looked at is not looked at again; `filter=` is not in Debian 12's Python.
        tar.extraction_filter = _as_it_is
        folders: list[tarfile.TarInfo] = []
        for member in tar:
            landed = _landed(member, root, landing_name, content=content, keep=keep_owners)
            size += landed.size if landed.isreg() else 0
            _clear_way(landed, root)
            if landed.isdir():
                folders.append(landed)
            tar.extract(landed, root, set_attrs=not landed.isdir(), numeric_owner=True)
        # A folder's time and mode come last: what is put into it would change or forbid them.
        for entry in reversed(folders):
            _set_attributes(tar, entry, os.path.join(root, entry.name))
    return size


def _as_it_is(member: tarfile.TarInfo, _path: str) -> tarfile.TarInfo:
    return member


def _landed(
    member: tarfile.TarInfo, root: str, landing_name: str | None, *, content: bool, keep: bool
) -> tarfile.TarInfo:
    name = renamed(member.name, landing_name, content=content)
    landed = copy(member)
    landed.name = name
    _check_inside(root, os.path.dirname(name), member.name)
    if member.islnk():
        link = renamed(member.linkname, landing_name, content=content)
        _check_inside(root, link, member.name)
        landed.linkname = link
    if not keep:
        landed.uid, landed.gid, landed.uname, landed.gname = os.getuid(), os.getgid(), "", ""
    return landed


def _check_inside(root: str, path: str, name: str) -> None:
    """Links that are there already are followed first: an archive may bring its own."""
    whole = os.path.realpath(os.path.join(root, path))
    if whole != root and not whole.startswith(root.rstrip("/") + "/"):
        raise InvalidArgument(f"the archive would write outside its folder: {name}")


def _clear_way(entry: tarfile.TarInfo, root: str) -> None:
    """What is in the way of a file goes; a folder is in nobody's way but a file's."""
    path = os.path.join(root, entry.name)
    if entry.name == "." or not os.path.lexists(path):
        return
    is_folder = os.path.isdir(path) and not os.path.islink(path)
    if entry.isdir() and is_folder:
        return
    if is_folder:
        raise InvalidArgument(f'cannot overwrite directory "{path}" with non-directory')
    if entry.isdir():
        raise InvalidArgument(f'cannot overwrite non-directory "{path}" with directory')
    os.unlink(path)


def _set_attributes(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
    tar.chown(entry, path, numeric_owner=True)
    tar.chmod(entry, path)
    tar.utime(entry, path)
