"""The contents of a folder's files, read beneath the folder and nowhere else, most of them once.

What was read for a digest is kept until the layer takes it, as far as there is room: then the layer
has what the digest says, whatever became of the file meanwhile.
"""

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Final

from knarr.build.foldertable import Stamp
from knarr.errors import Conflict
from knarr.kernel.openat2 import RESOLVE_NO_SYMLINKS, open_directory

_PIECE_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 256 << 10  # read in one piece, and kept
_KEPT_BYTES: Final = 64 << 20  # of one build's contexts, at once
_PAGE_BYTES: Final = 4096  # this much of a file is read at one moment
# Without waiting: what was a file when it was looked at may be a pipe now.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_EMPTY: Final = hashlib.sha256().digest()


class FolderContents:
    """Reads files by their paths. Threads may share one."""

    def __init__(self, root: int, *, kept_bytes: int = _KEPT_BYTES) -> None:
        """``root`` stays the caller's own."""
        self._root = root
        self._lock = threading.Lock()
        self._path = ""  # of the directory that was read from last, and its descriptor
        self._folder = -1
        self._kept: dict[str, bytes] = {}
        self._room = kept_bytes

    def close(self) -> None:
        with self._lock:
            self._leave()
            self._kept.clear()

    def digests(self, folder: str, files: Mapping[str, Stamp]) -> dict[str, bytes]:
        """SHA-256 of files of one directory, by name; ``files`` says how each was found.

        Raises Conflict where one is no longer so.
        """
        lead = f"{folder}/" if folder else ""
        with self._lock:
            return {
                name: self._digest(folder, lead, name, stamp) if stamp[1] else _EMPTY
                for name, stamp in files.items()
            }

    def _digest(self, folder: str, lead: str, name: str, stamp: Stamp) -> bytes:
        _, size, mtime_ns, *_ = stamp
        fd = self._open(folder, name)
        try:
            if size > _SMALL_BYTES:
                sha = hashlib.sha256()
                for piece in _pieces(fd, size, lead + name):
                    sha.update(piece)
                return sha.digest()
            content = os.read(fd, size + 1)
            if len(content) != size:
                raise changed(lead + name)
            if size > _PAGE_BYTES:
                now = os.fstat(fd)
                if (now.st_size, now.st_mtime_ns) != (size, mtime_ns):
                    raise changed(lead + name)
        finally:
            os.close(fd)
        if size <= self._room:
            self._room -= size
            self._kept[lead + name] = content
        return hashlib.sha256(content).digest()

    def read(self, path: str, size: int, digest: bytes) -> Iterator[bytes]:
        """A file in pieces. Raises Conflict if it is not, or no longer, what the digest says.

        digest: empty where nobody asked for it yet.
        """
        if (content := self._taken(path)) is not None:
            yield content
            return
        sha = hashlib.sha256()
        for piece in self._read(path, size):
            sha.update(piece)
            yield piece
        if digest and sha.digest() != digest:
            raise changed(path)

    def _taken(self, path: str) -> bytes | None:
        """What was kept of a file. Once: whoever wants it again reads it again."""
        with self._lock:
            content = self._kept.pop(path, None)
            self._room += len(content or b"")
        return content

    def _read(self, path: str, size: int) -> Iterator[bytes]:
        folder, _, name = path.rpartition("/")
        with self._lock:
            fd = self._open(folder, name)
        try:
            yield from _pieces(fd, size, path)
        finally:
            os.close(fd)

    def _open(self, folder: str, name: str) -> int:
        try:
            if folder != self._path or self._folder < 0:
                self._leave()
                self._folder = open_directory(self._root, folder, resolve=RESOLVE_NO_SYMLINKS)
                self._path = folder
            return os.open(name, _FLAGS, dir_fd=self._folder)
        except OSError as error:
            raise changed(f"{folder}/{name}" if folder else name) from error

    def _leave(self) -> None:
        fd, self._folder = self._folder, -1
        if fd >= 0:
            os.close(fd)


def _pieces(fd: int, left: int, path: str) -> Iterator[bytes]:
    while left and (piece := os.read(fd, min(left, _PIECE_BYTES))):
        left -= len(piece)
        yield piece
    if left:
        raise changed(path)


def changed(path: str) -> Conflict:
    return Conflict(f"{path} changed while the build was reading it")
