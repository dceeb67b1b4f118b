"""A folder as the tar archive of a build context, and further members beside it."""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from typing import Final

from knarr.errors import KnarrError
from knarr.patterns import IgnoreRules

_BLOCK: Final = 512
_PIECE: Final = 256 * 1024  # bytes read at once


def text_member(name: str, content: bytes, mode: int = 0o644) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    yield content + b"\0" * (-len(content) % _BLOCK)


def folder_members(
    folder: str, rules: IgnoreRules | None, prefix: str, kept: tuple[str, ...] = ()
) -> Iterator[bytes]:
    """Everything in the folder that the rules leave in, and ``kept`` in any case."""
    seen: dict[tuple[int, int], str] = {}
    for path, entry in _walk(folder, "", rules, kept):
        info = _described(path, entry, prefix, seen)
        if info is None:
            continue
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if info.isreg() and info.size:
            yield from _content(entry.path, info.size)


def _walk(
    folder: str, below: str, rules: IgnoreRules | None, kept: tuple[str, ...]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(os.path.join(folder, below)) as found:
        entries = sorted(found, key=lambda each: each.name)
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules is not None and path not in kept and rules.excludes(path):
            if is_folder and not rules.prunes(path):
                yield from _walk(folder, path, rules, kept)
            continue
        yield path, entry
        if is_folder:
            yield from _walk(folder, path, rules, kept)


def _described(
    path: str, entry: os.DirEntry[str], prefix: str, seen: dict[tuple[int, int], str]
) -> tarfile.TarInfo | None:
    """The member's header; None for a socket. Owners are nobody's business: all is root's."""
    there = entry.stat(follow_symlinks=False)
    info = tarfile.TarInfo(posixpath.join(prefix, path))
    info.mode, info.mtime = stat.S_IMODE(there.st_mode), int(there.st_mtime)
    if stat.S_ISDIR(there.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(there.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.path)
    elif stat.S_ISFIFO(there.st_mode):
        info.type = tarfile.FIFOTYPE
    elif not stat.S_ISREG(there.st_mode):
        return None
    elif there.st_nlink > 1 and (there.st_dev, there.st_ino) in seen:
        info.type, info.linkname = tarfile.LNKTYPE, seen[there.st_dev, there.st_ino]
    else:
        info.size = there.st_size
        seen[there.st_dev, there.st_ino] = info.name
    return info


def _content(path: str, size: int) -> Iterator[bytes]:
    """Just ``size`` bytes, which the header has promised, whatever becomes of the file."""
    left = size
    try:
        with open(path, "rb", buffering=0) as file:
            while left and (piece := file.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece
    except PermissionError as error:
        raise KnarrError(f"error checking context: no permission to read from '{path}'") from error
    yield b"\0" * (left + -size % _BLOCK)
