"""Files by digest under ``<data root>/blobs/sha256``.

    blobs/sha256/<hex>     a blob: whole, of that digest, never changed
    blobs/tmp/<random>     one that is still coming in; swept at start

Everything here is synchronous and may be used from any thread. Which blobs are wanted is a matter
of rows (`content.rows`); a blob without a row is an orphan, swept at start.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from knarr.content.hashing import Hasher
from knarr.content.headroom import Budget, Headroom
from knarr.content.pins import Pinning
from knarr.content.writing import write_all
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import Digest

PREFIX: Final = "sha256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What has been stored: digest and size in bytes."""

    digest: Digest
    size_bytes: int


class BlobStore(Pinning[Digest]):
    """Written to a temporary name, hashed on the way, renamed to their digest."""

    def __init__(self, data_root: Path, budget: Budget | None = None) -> None:
        """budget: what all that comes in counts against."""
        super().__init__()
        self.budget = budget or Budget()
        self._folder = data_root / "blobs" / "sha256"
        self._incoming = data_root / "blobs" / "tmp"
        for folder in (self._folder, self._incoming):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: Digest) -> Path:
        return self._folder / digest.removeprefix(PREFIX)

    def has(self, digest: Digest) -> bool:
        return self.path(digest).exists()

    def open(self, digest: Digest) -> int:
        """A descriptor to read from. Raises NotFound."""
        try:
            return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"content {digest}: not found") from error

    def read(self, digest: Digest) -> bytes:
        """All of a small blob: a manifest, a config. Raises NotFound."""
        with os.fdopen(self.open(digest), "rb") as file:
            return file.read()

    def writer(self) -> "BlobWriter":
        return BlobWriter(self, self._incoming / secrets.token_hex(8))

    def put(self, content: bytes, expected: Digest | None = None) -> Blob:
        """Store a small blob at once. The caller records it, then calls ``unpin``."""
        with self.writer() as writer:
            writer.write(content)
            return writer.commit(expected)

    def discard(self, digest: Digest) -> None:
        """Delete a blob whose row is gone; one that is pinned stays, its row is on the way."""
        with self._lock:
            if digest not in self._pins:
                self.path(digest).unlink(missing_ok=True)

    def adopt(self, incoming: Path, digest: Digest) -> None:
        """Give a whole, hashed file its name, pinned. A blob that is there already stays."""
        with self._lock:
            self._pins[digest] += 1
            os.rename(incoming, self.path(digest))

    def digests(self) -> Iterator[Digest]:
        """Every blob on the disk, wanted or not."""
        for name in os.listdir(self._folder):
            yield Digest(PREFIX + name)

    def sweep(self, wanted: set[Digest]) -> list[Digest]:
        """At start: delete what no row knows and what never got its name. Returns the orphans."""
        for entry in self._incoming.iterdir():
            entry.unlink()
        orphans = [digest for digest in self.digests() if digest not in wanted]
        for digest in orphans:
            self.path(digest).unlink()
        return orphans


class BlobWriter:
    """One blob that is coming in; a context manager that leaves nothing behind unless committed."""

    def __init__(self, store: BlobStore, incoming: Path) -> None:
        self._store = store
        self._incoming = incoming
        self._headroom = Headroom(incoming.parent, store.budget)
        self._fd = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._hasher = Hasher()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def size_bytes(self) -> int:
        return self._hasher.size_bytes

    def write(self, chunk: bytes | memoryview) -> None:
        """``chunk`` must not change afterwards. Raises Unavailable when the disk is full."""
        self._headroom.take(len(chunk))
        self._hasher.update(chunk)
        write_all(self._fd, chunk)

    def commit(self, expected: Digest | None = None) -> Blob:
        """Under its name now, and pinned. Raises InvalidArgument if it is not what was expected."""
        size_bytes, digest = self._hasher.size_bytes, self._hasher.digest()
        if expected is not None and digest != expected:
            raise InvalidArgument(f"content digest mismatch: expected {expected}, got {digest}")
        self._close()
        self._store.adopt(self._incoming, digest)  # else `abort` finds it
        return Blob(digest=digest, size_bytes=size_bytes)

    def abort(self) -> None:
        """Forget what was written; harmless after a commit."""
        self._hasher.close()
        self._close()
        self._incoming.unlink(missing_ok=True)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
