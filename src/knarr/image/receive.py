"""What an archive of images brings, stored as it streams by: before its manifest is known.

Archives put their manifest last or first, so each member is judged by what it is: small JSON is
kept in memory, a tar is a layer, a compressed tar a layer and a blob. Everything stored is pinned
and has no row; `Received.forget` throws away what was not recorded.

This runs in a thread. Layers are prepared for mounting by others, while the next one streams in.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from knarr.content import (
    Blob,
    BlobStore,
    Compression,
    decompressor,
    digest_of,
    refuse_bomb,
    sniffed,
)
from knarr.content import plain_chunks as unpacked_chunks
from knarr.errors import InvalidArgument
from knarr.ids import DiffId, Digest
from knarr.snapshot import Layer, Layers, LayerWriter
from knarr.snapshot.tar import Member, TarStream, header

_TEXT_BYTES: Final = 8 << 20  # a manifest or config is never larger
_BLOB: Final = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_MAGIC: Final = slice(257, 262)  # "ustar" in a tar's first header
_WORKERS: Final = 2

Report = Callable[[str, int, int], None]  # of a member: short name, bytes so far, bytes in all


@dataclass(slots=True)
class Received:
    """By the member's name: JSON as bytes, layers, blobs of compressed layers."""

    texts: dict[str, bytes] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    blobs: dict[str, tuple[Blob, Compression]] = field(default_factory=dict)
    known: dict[str, DiffId] = field(default_factory=dict)  # passed over: such a layer is here
    links: dict[str, str] = field(default_factory=dict)

    def layer(self, name: str) -> DiffId:
        """The diff ID of the layer stored under ``name``. Raises InvalidArgument."""
        place = self.resolved(name)
        if place in self.layers:
            return self.layers[place].diff_id
        if place in self.known:
            return self.known[place]
        raise InvalidArgument(f"invalid archive: it does not contain {name}")

    def text(self, name: str) -> bytes:
        """A JSON file of the archive. Raises InvalidArgument."""
        place = self.resolved(name)
        if place not in self.texts:
            raise InvalidArgument(f"invalid archive: it does not contain {name}")
        return self.texts[place]

    def resolved(self, name: str) -> str:
        """Through the links of old archives, which store a layer once."""
        name = posixpath.normpath(name)
        for _ in range(8):
            if name not in self.links:
                return name
            name = self.links[name]
        raise InvalidArgument(f"invalid archive: {name} is a link to itself")


class Receiver:
    """Reads one archive. Whatever happens, call ``forget`` at the end."""

    def __init__(self, layers: Layers, blobs: BlobStore, report: Report) -> None:
        self._layers = layers
        self._blobs = blobs
        self._report = report
        self._pinned_layers: list[DiffId] = []
        self._pinned_blobs: list[Digest] = []
        self.received = Received()

    def read(self, chunks: Callable[[], bytes]) -> Received:
        """Take in the whole stream. Raises InvalidArgument for a broken or hostile archive."""
        with ExitStack() as undo:
            workers = undo.enter_context(ThreadPoolExecutor(_WORKERS, "layer"))
            settling: dict[str, Future[Layer]] = {}
            stream = TarStream(plain_chunks(chunks))
            try:
                for member in stream:
                    self._take(stream, member, workers, settling)
                stream.drain()
            finally:
                failures = self._settled(settling)
            for failure in failures:
                raise failure
        return self.received

    def forget(self, layer_is_recorded: Callable[[DiffId], bool], blob_is_recorded: Callable[[Digest], bool]) -> None:  # fmt: skip  # noqa: E501
        """Unpin everything, and throw away what has no row. In the loop."""
        for diff_id in self._pinned_layers:
            self._layers.unpin(diff_id)
            if not layer_is_recorded(diff_id):
                self._layers.discard(diff_id)
        for digest in self._pinned_blobs:
            self._blobs.unpin(digest)
            if not blob_is_recorded(digest):
                self._blobs.discard(digest)
        self._pinned_layers.clear()
        self._pinned_blobs.clear()

    def _settled(self, settling: dict[str, Future[Layer]]) -> list[BaseException]:
        failures: list[BaseException] = []
        for name, future in settling.items():
            if (failure := future.exception()) is not None:
                failures.append(failure)
                continue
            layer = future.result()
            self._pinned_layers.append(layer.diff_id)
            self.received.layers[name] = layer
        return failures

    def _take(
        self,
        stream: TarStream,
        member: Member,
        workers: ThreadPoolExecutor,
        settling: dict[str, Future[Layer]],
    ) -> None:
        name = _plain_name(member.name)
        match member.kind:
            case header.REGULAR:
                if (writer := self._content(stream, member, name)) is not None:
                    settling[name] = workers.submit(_settle, writer, _expected(name, writer))
            case header.SYMLINK:
                target = posixpath.join(posixpath.dirname(name), _text(member.link))
                self.received.links[name] = _inside(target, name)
            case header.HARD_LINK:
                self.received.links[name] = _plain_name(member.link)
            case header.DIRECTORY:
                pass
            case _:
                raise InvalidArgument(f"invalid archive: {name} is neither a file nor a folder")

    def _content(self, stream: TarStream, member: Member, name: str) -> "_Incoming | None":
        """Store one file of the archive; a layer comes back to be settled."""
        if (digest := _digest(name)) is not None and self._skip_known(name, digest):
            return None
        pieces = stream.content(member)
        head = _head(pieces)
        kind = sniffed(head)
        if kind:
            return self._compressed(name, kind, _again(head, pieces), member.stored, digest)
        if _is_tar(head, member.stored):
            return self._layer(name, _again(head, pieces), member.stored)
        if member.stored <= _TEXT_BYTES:
            self._keep_text(name, b"".join(_again(head, pieces)), digest)
        return None

    def _skip_known(self, name: str, digest: Digest) -> bool:
        """Whether a layer of this digest is here: its bytes need not be looked at."""
        diff_id = DiffId(digest)
        self._layers.pin(diff_id)
        if not self._layers.has(diff_id):
            self._layers.unpin(diff_id)
            return False
        self._pinned_layers.append(diff_id)
        self.received.known[name] = diff_id
        return True

    def _keep_text(self, name: str, text: bytes, digest: Digest | None) -> None:
        if digest is not None and digest_of(text) != digest:
            raise InvalidArgument(f"invalid archive: {name} has the digest {digest_of(text)}")
        self.received.texts[name] = text

    def _layer(self, name: str, pieces: Iterator[memoryview], total: int) -> "_Incoming":
        writer = self._layers.writer()
        try:
            for piece in self._reported(name, pieces, total):
                writer.write(piece)
        except BaseException:
            writer.abort()
            raise
        return _Incoming(writer=writer)

    def _compressed(
        self,
        name: str,
        kind: Compression,
        pieces: Iterator[memoryview],
        total: int,
        digest: Digest | None,
    ) -> "_Incoming":
        """Kept as it came, so that a push can send it unchanged, and unpacked on the way."""
        writer = self._layers.writer()
        try:
            with self._blobs.writer() as packed:
                unpacking = decompressor(kind)
                for piece in self._reported(name, pieces, total):
                    packed.write(piece)
                    for plain in unpacking.feed(bytes(piece)):
                        writer.write(plain)
                    refuse_bomb(writer.size_bytes, packed.size_bytes)
                unpacking.finish()
                blob = packed.commit(digest)
        except BaseException:
            writer.abort()
            raise
        self._pinned_blobs.append(blob.digest)
        self.received.blobs[name] = (blob, kind)
        return _Incoming(writer=writer, compressed=True)

    def _reported(
        self, name: str, pieces: Iterable[memoryview], total: int
    ) -> Iterator[memoryview]:
        done = 0
        short = _short(name)
        for piece in pieces:
            yield piece
            done += len(piece)
            self._report(short, done, total)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Incoming:
    """A layer whose bytes are all there."""

    writer: LayerWriter
    compressed: bool = False


def _settle(incoming: _Incoming, expected: DiffId | None) -> Layer:
    with incoming.writer as writer:
        return writer.commit(expected)


def _expected(name: str, incoming: _Incoming) -> DiffId | None:
    """A plain layer's diff ID is the digest in its name."""
    digest = _digest(name)
    return None if digest is None or incoming.compressed else DiffId(digest)


def plain_chunks(chunks: Callable[[], bytes]) -> Callable[[], bytes]:
    """The same stream unpacked: an archive may be compressed as a whole.

    Raises InvalidArgument for an empty one.
    """
    first = chunks()
    if not first:
        raise InvalidArgument("invalid archive: it is empty")
    return again(first, chunks)


def again(first: bytes, chunks: Callable[[], bytes]) -> Callable[[], bytes]:
    """The stream unpacked, of which one chunk was read already."""
    before = iter((first,))
    return unpacked_chunks(lambda: next(before, b"") or chunks())


def _head(pieces: Iterator[memoryview]) -> bytes:
    """At least the first block, or all of a smaller file."""
    head = b""
    while len(head) < header.BLOCK and (piece := next(pieces, None)) is not None:
        head = bytes(piece) if not head else head + bytes(piece)
    return head


def _again(head: bytes, rest: Iterator[memoryview]) -> Iterator[memoryview]:
    if head:
        yield memoryview(head)
    yield from rest


def _is_tar(head: bytes, size: int) -> bool:
    """By its magic, or an archive of nothing: zeros in whole blocks."""
    if size % header.BLOCK or size == 0:
        return False
    return head[_MAGIC] == b"ustar" or not head.strip(b"\0")


def _digest(name: str) -> Digest | None:
    match = _BLOB.fullmatch(name)
    return Digest(f"sha256:{match[1]}") if match else None


def _short(name: str) -> str:
    """What a progress line calls it: 12 digits of the digest, or of the folder's name."""
    digest = _digest(name)
    return digest.removeprefix("sha256:")[:12] if digest else name.partition("/")[0][:12]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument("invalid archive: a name that is not UTF-8") from error


def _plain_name(raw: bytes) -> str:
    name = _text(raw)
    return _inside(name, name)


def _inside(path: str, name: str) -> str:
    """``path`` without dots and double slashes. Raises InvalidArgument where it climbs out."""
    plain = posixpath.normpath(path)
    if plain.startswith(("/", "../")) or plain == ".." or "\0" in plain:
        raise InvalidArgument(f"invalid archive: {name} climbs out of the archive")
    return plain
