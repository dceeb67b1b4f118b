"""SHA-256 beside the work: hashlib lets other threads run, so hashing costs no time of its own."""

import hashlib
import queue
import threading
from typing import Final

from knarr.ids import Digest

_INLINE_BYTES: Final = 1 << 20  # a thread is not worth its start for less
_BACKLOG: Final = 16  # chunks


class Hasher:
    """The digest of a stream. Small streams are hashed at once, large ones by a thread.

    Chunks handed in must not change afterwards. Call ``digest`` or ``close`` at the end.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._queue: queue.Queue[bytes | memoryview | None] | None = None
        self._thread: threading.Thread | None = None
        self.size_bytes = 0

    def update(self, chunk: bytes | memoryview) -> None:
        self.size_bytes += len(chunk)
        if self._queue is None:
            if self.size_bytes <= _INLINE_BYTES:
                self._sha.update(chunk)
                return
            self._queue = queue.Queue(_BACKLOG)
            self._thread = threading.Thread(
                target=_hash_all, args=(self._sha, self._queue), name="sha256", daemon=True
            )
            self._thread.start()
        self._queue.put(chunk)

    def digest(self) -> Digest:
        self.close()
        return Digest(f"sha256:{self._sha.hexdigest()}")

    def close(self) -> None:
        """End the thread; harmless when there is none."""
        if self._queue is not None and self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._queue = self._thread = None


def _hash_all(sha: "hashlib._Hash", chunks: queue.Queue[bytes | memoryview | None]) -> None:
    while (chunk := chunks.get()) is not None:
        sha.update(chunk)


def digest_of(content: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")
