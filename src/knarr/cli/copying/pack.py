"""A tar archive of files here, made as it is read: no temporary file, no thread."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator

from knarr.cli.copying.plan import renamed, wants_content
from knarr.client.lean import Final

PIECE: Final = 256 * 1024  # bytes read at once
_BLOCK: Final = 512  # bytes
_END: Final = b"\0" * (2 * _BLOCK)


def packed(path: str, landing_name: str | None) -> Iterator[bytes]:
    """The archive of ``path``, a file or a folder with all in it; links stay links.

    landing_name: the name in the archive; None keeps the file's own.
    """
    content = wants_content(path)
    root = os.path.normpath(path)
    base = "." if content else os.path.basename(os.path.abspath(root))
    # Only for its memory of which names are one file (hard links).
    memory = tarfile.TarFile(fileobj=io.BytesIO(), mode="w", format=tarfile.PAX_FORMAT)
    for name in _names(root):
        entry = base if name == root else os.path.join(base, os.path.relpath(name, root))
        entry = renamed(entry, landing_name, content=content)
        yield from _member(memory, name, entry)
    yield _END


def _names(root: str) -> Iterator[str]:
    """``root`` and all below, folders before what is in them."""
    yield root
    if not stat.S_ISDIR(os.lstat(root).st_mode):
        return
    for folder, folders, files in os.walk(root):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted(files + links):
            yield os.path.join(folder, name)
        folders[:] = [name for name in folders if name not in links]
        for name in folders:
            yield os.path.join(folder, name)


def _member(memory: tarfile.TarFile, name: str, entry: str) -> Iterator[bytes]:
    info = memory.gettarinfo(name, arcname=entry)
    if info is None:  # a socket: archives have no such thing
        return
    if info.islnk():
        info.linkname = info.linkname.lstrip("/")
    header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if not info.isreg():
        yield header
        return
    with open(name, "rb", buffering=0) as file:
        yield header
        yield from _content(file, info.size)


def _content(file: io.FileIO, size: int) -> Iterator[bytes]:
    """Just ``size`` bytes, which the header has promised, whatever becomes of the file."""
    left = size
    while left and (piece := file.read(min(left, PIECE))):
        left -= len(piece)
        yield piece
    yield b"\0" * (left + -size % _BLOCK)
