"""Build contexts: an archive that streams in, each file hashed on the way; or a folder.

The archive is spooled once, byte for byte, and stays where it is until the build is over; COPY
reads from it. What .dockerignore leaves out is not in the index and so not there.
"""

import hashlib
import mmap
import os
import posixpath
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from knarr.build.tree import ArchiveTree, Entry
from knarr.content import Compression, decompressor, sniffed, write_all
from knarr.errors import InvalidArgument
from knarr.snapshot.names import kept_xattr
from knarr.snapshot.tar import Member, TarStream, header

_MAGIC_BYTES: Final = 512
_COPIED: Final = frozenset({
    header.REGULAR, header.DIRECTORY, header.SYMLINK, header.CHARACTER, header.BLOCK_DEVICE,
    header.FIFO,
})  # fmt: skip
_FLUSH_BYTES: Final = 1 << 20
_ASIDE_BYTES: Final = 1 << 20  # of one secret


class SpooledArchive:
    """A tar on disk and its index. A context manager: the file goes with it."""

    def __init__(self, path: Path, aside: str = "") -> None:
        """Members beneath the folder ``aside`` are kept in memory and never written."""
        self._path = path
        self._aside = f"{aside}/" if aside else ""
        self.aside: dict[str, bytes] = {}
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._position = 0
        self._pending = bytearray()
        self.tree = ArchiveTree(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        with suppress(BufferError):  # a traceback may still hold a piece of it
            if isinstance(self.tree.data, mmap.mmap):
                self.tree.data.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._path.unlink(missing_ok=True)

    def receive(self, chunks: Callable[[], bytes], *, as_root: bool = True) -> None:
        """Take in the archive, packed or not. In a thread.

        as_root: owners in it are the client's own business; every file belongs to root.
        Raises InvalidArgument for what is no tar, or one whose names climb out of it.
        """
        stream = TarStream(_plain(chunks))
        for member in stream:
            self._take(stream, member, as_root=as_root)
        stream.drain()
        self._flush()
        if self._position:
            self.tree.data = mmap.mmap(self._fd, 0, prot=mmap.PROT_READ)

    def _take(self, stream: TarStream, member: Member, *, as_root: bool) -> None:
        path = inside(os.fsdecode(member.name))
        if self._aside and path.startswith(self._aside):
            if member.kind == header.REGULAR:
                name = path.removeprefix(self._aside)
                self.aside[name] = stream.read(member, _ASIDE_BYTES)
            return
        if member.kind == header.HARD_LINK:
            self._link(path, member)
            return
        if member.kind not in _COPIED or (not path and member.kind != header.DIRECTORY):
            return
        start = self._position + len(self._pending)
        digest = self._spool(stream, member)
        uid, gid = (0, 0) if as_root else (member.uid, member.gid)
        xattrs = {key: value for key, value in member.xattrs.items() if kept_xattr(key)}
        stored = member._replace(
            name=os.fsencode(path), uid=uid, gid=gid, start=start, stored=member.size,
            segments=None, xattrs=xattrs,
        )  # fmt: skip
        self.tree.add(Entry(path, stored, digest))

    def _link(self, path: str, member: Member) -> None:
        """Another name of a file that came before: the same content, wherever it is copied."""
        target = self.tree.entries.get(inside(os.fsdecode(member.link)))
        if target is None or target.member.kind != header.REGULAR:
            shown = os.fsdecode(member.link)
            raise InvalidArgument(f"{path} in the context is a hard link to {shown}, which is not")
        same = target.member.start
        self.tree.entries[target.path] = target._replace(same=same)
        named = target.member._replace(name=os.fsencode(path))
        self.tree.add(Entry(path, named, target.digest, same))

    def _spool(self, stream: TarStream, member: Member) -> bytes:
        """The content, holes filled; returns its digest, or nothing for what has no content."""
        if member.kind != header.REGULAR:
            return b""
        sha = hashlib.sha256()
        pieces = stream.content(member)
        for piece in pieces if member.segments is None else _with_holes(member, pieces):
            sha.update(piece)
            self._pending += piece
            if len(self._pending) >= _FLUSH_BYTES:
                self._flush()
        return sha.digest()

    def _flush(self) -> None:
        write_all(self._fd, memoryview(self._pending))
        self._position += len(self._pending)
        self._pending = bytearray()


def inside(name: str) -> str:
    """A member's name made plain. Raises InvalidArgument where it climbs out of the archive."""
    path = posixpath.normpath(name.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise InvalidArgument(f"forbidden path outside the build context: {name}")
    if "\0" in path:
        raise InvalidArgument("a name in the build context has a NUL in it")
    return "" if path == "." else path


def _with_holes(member: Member, pieces: Iterator[memoryview]) -> Iterator[bytes | memoryview]:
    """A sparse file's stored segments at their places, zeros between."""
    stored = b"".join(pieces)
    position = taken = 0
    for offset, length in member.segments or ():
        yield bytes(offset - position)
        yield stored[taken : taken + length]
        position, taken = offset + length, taken + length
    yield bytes(member.size - position)


def _plain(chunks: Callable[[], bytes]) -> Callable[[], bytes]:
    """The stream without its compression. Raises InvalidArgument for what is no archive."""
    head = b""
    while len(head) < _MAGIC_BYTES and (chunk := chunks()):
        head += chunk
    kind = sniffed(head)
    if kind is Compression.NONE:
        return _after(head, chunks)
    unpack = decompressor(kind)
    pieces = _unpacked(unpack.feed, unpack.finish, _after(head, chunks))
    return lambda: next(pieces, b"")


def _after(head: bytes, chunks: Callable[[], bytes]) -> Callable[[], bytes]:
    waiting = [head] if head else []
    return lambda: waiting.pop() if waiting else chunks()


def _unpacked(
    feed: Callable[[bytes], Iterator[bytes]],
    finish: Callable[[], None],
    chunks: Callable[[], bytes],
) -> Iterator[bytes]:
    while chunk := chunks():
        yield from feed(chunk)
    finish()
