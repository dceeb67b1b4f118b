"""One layer on its way in: a pipeline of two threads, whatever its size in bounded memory.

The first downloads and hashes, the second unpacks behind it, at a pace of its own, what is in the
file already. It sees the end of its input only once the digest holds.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, Self

from knarr.content import BlobStore
from knarr.content.partial import Follower, PartialBlob
from knarr.errors import InvalidArgument
from knarr.registry.client import RegistryClient
from knarr.registry.download import download
from knarr.registry.manifests import RemoteLayer
from knarr.registry.threads import Speaker


class ByteReader(Protocol):
    """A stream of bytes that says how far it was read."""

    @property
    def position(self) -> int: ...

    def read(self, limit_bytes: int) -> bytes:
        """Up to the limit; empty at the end. Raises KnarrError when the rest will not come."""
        ...


class LayerSink(Protocol):
    """Where the layers of one pull go: the image room, seen from here.

    All but ``unpack`` are called in the loop.
    """

    def has(self, layer: RemoteLayer) -> bool: ...

    def unpack(self, layer: RemoteLayer, packed: ByteReader) -> None:
        """Make the layer of its compressed bytes, in a thread; nothing shows before all was right.

        Raises InvalidArgument when it does not unpack to ``layer.diff_id``.
        """
        ...

    def landed(self, layer: RemoteLayer) -> None:
        """Layer and blob are there, the blob pinned: record them. Called once, by one of those
        pulls that wanted it."""
        ...

    def hold(self, layer: RemoteLayer) -> None:
        """The layer is recorded, and is to stay for this pull."""
        ...


class _BlobReader:
    """A blob that is there already, read like one that arrives."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.position = 0

    def read(self, limit_bytes: int) -> bytes:
        piece = os.read(self._fd, limit_bytes)
        self.position += len(piece)
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class _Watched:
    """Tells how far a layer is unpacked, once its download is over."""

    def __init__(self, inner: Follower | _BlobReader, say: Speaker) -> None:
        self._inner, self._say = inner, say

    @property
    def position(self) -> int:
        return self._inner.position

    def read(self, limit_bytes: int) -> bytes:
        piece = self._inner.read(limit_bytes)
        self._say.unpacked(self._inner.position)
        return piece


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerJob:
    """One layer on its way; runs in a thread and uses a second one.

    downloaded: called when all bytes are here, and right, and unpacking is what is left.
    """

    layer: RemoteLayer
    sources: tuple[RegistryClient, ...]
    blobs: BlobStore
    sink: LayerSink
    say: Speaker
    threads: ThreadPoolExecutor
    downloaded: Callable[[], None]

    def run(self) -> None:
        if self.blobs.has(self.layer.digest):
            self._unpack_what_is_there()
        elif not self._fetched_and_unpacked():
            self._fetched_and_unpacked()

    def _unpack_what_is_there(self) -> None:
        """The blob came with another image, whose layers have been deleted since."""
        self.blobs.pin(self.layer.digest)
        self.say("Download complete")
        self.downloaded()
        with _BlobReader(self.blobs.open(self.layer.digest)) as reader:
            self._unpack(reader)

    def _fetched_and_unpacked(self) -> bool:
        """False when the beginning that an earlier pull had left was wrong: once more, without.

        A power cut may leave such a beginning, nothing else does.
        """
        with PartialBlob(self.blobs, self.layer.digest, self.layer.descriptor.size) as partial:
            try:
                self._pipeline(partial)
            except InvalidArgument:
                partial.forget()
                if partial.resumed:
                    return False
                raise
        return True

    def _pipeline(self, partial: PartialBlob) -> None:
        unpacking = self.threads.submit(self._unpack_behind, partial)

        def progress(offset: int) -> None:
            if unpacking.done():
                unpacking.result()  # raises: it cannot have ended well before the last byte
            self.say("Downloading", offset)

        try:
            download(self.sources, partial, progress)
            self.say("Verifying Checksum")
            partial.verify()
            self.say("Download complete")
            self.downloaded()
        except BaseException as error:
            partial.fail(error)
            unpacking.exception()  # its own is but the consequence
            raise
        unpacking.result()
        partial.adopt()  # not before: until it is unpacked nobody keeps it from being swept

    def _unpack_behind(self, partial: PartialBlob) -> None:
        with partial.follow() as follower:
            self._unpack(follower)

    def _unpack(self, reader: Follower | _BlobReader) -> None:
        self.sink.unpack(self.layer, _Watched(reader, self.say))
