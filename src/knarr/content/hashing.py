"""SHA-256 beside the work: hashlib lets other threads run, so hashing costs no time of its own."""

import hashlib
import queue
import threading
from typing import Final

from knarr.ids import Digest

_INLINE_BYTES: Final = 1 << 20  # a thread is not worth its start for less
_BACKLOG: Final = 6  # chunks


class Hasher:
    """The digest of a stream. Small streams are hashed at once, large ones by a thread.

    Chunks handed in must not change afterwards. Call ``digest`` or ``close`` at the end.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._line: _Line | None = None
        self.size_bytes = 0

    def update(self, chunk: bytes | memoryview) -> None:
        self.size_bytes += len(chunk)
        if self._line is None:
            if self.size_bytes <= _INLINE_BYTES:
                self._sha.update(chunk)
                return
            self._line = _Line(self._sha)
        self._line.put(chunk)

    def digest(self) -> Digest:
        self.close()
        return Digest(f"sha256:{self._sha.hexdigest()}")

    def close(self) -> None:
        """End the thread; harmless when there is none."""
        line, self._line = self._line, None
        if line is not None:
            line.end()


class _Line:
    """Chunks on their way to a thread that hashes them, never more than a few.

    Two simple queues, one of chunks and one of free places: they are C, and wake the other side
    only where it sleeps. A bounded ``queue.Queue`` takes ten times as many system calls.
    """

    def __init__(self, sha: "hashlib._Hash") -> None:
        self._chunks: queue.SimpleQueue[bytes | memoryview | None] = queue.SimpleQueue()
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(_BACKLOG):
            self._places.put(None)
        self._thread = threading.Thread(target=self._hash_all, args=(sha,), name="sha256")
        self._thread.daemon = True
        self._thread.start()

    def put(self, chunk: bytes | memoryview) -> None:
        self._places.get()
        self._chunks.put(chunk)

    def end(self) -> None:
        self._chunks.put(None)
        self._thread.join()

    def _hash_all(self, sha: "hashlib._Hash") -> None:
        while (chunk := self._chunks.get()) is not None:
            sha.update(chunk)
            self._places.put(None)


def digest_of(content: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")
