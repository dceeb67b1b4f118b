"""Blobs that arrive in several sittings: what was received before a break is gone on from.

    blobs/partial/<hex>    the beginning of a blob of that digest

Only the digest at the end says whether all of it was right; until then it is nothing but a head
start. While it grows it can be followed: who unpacks a layer reads it behind the download, at a
pace of its own, and sees its end only once the digest holds.
"""

import fcntl
import hashlib
import os
import threading
from pathlib import Path
from typing import Final, Self

from knarr.content.blobs import PREFIX, Blob, BlobStore
from knarr.content.headroom import Headroom
from knarr.content.writing import write_all
from knarr.errors import InvalidArgument, KnarrError, Unavailable
from knarr.ids import Digest

_PIECE: Final = 1 << 20
_KEPT_S: Final = 7 * 24 * 3600.0


class PartialBlob:
    """One blob on its way in: one writer, in one thread, and any number of followers.

    A context manager: left without ``commit``, it keeps its bytes for the next time and tells its
    followers that there is no more to come.
    """

    def __init__(self, store: BlobStore, digest: Digest, size_bytes: int) -> None:
        """size_bytes: as announced; more than that is refused.

        Raises Unavailable when another process is receiving the same blob.
        """
        self.digest, self.size_bytes = digest, size_bytes
        self._store = store
        folder = _folder(store)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / digest.removeprefix(PREFIX)
        self._headroom = Headroom(folder, store.budget)
        self._fd = _opened_alone(self._path, digest)
        self._sha = hashlib.sha256()
        self._changed = threading.Condition()
        self._verified = False
        self._failure: BaseException | None = None
        self.offset = self._caught_up()
        self.resumed = self.offset > 0

    def _caught_up(self) -> int:
        """Hash what an earlier sitting left; the offset to go on from."""
        offset = 0
        while piece := os.pread(self._fd, _PIECE, offset):
            self._sha.update(piece)
            offset += len(piece)
        if offset > self.size_bytes:
            os.ftruncate(self._fd, 0)
            self._sha, offset = hashlib.sha256(), 0
        os.lseek(self._fd, offset, os.SEEK_SET)
        return offset

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not self._verified:
            self.fail(error or Unavailable(f"{self.digest} did not arrive"))
        with self._changed:
            fd, self._fd = self._fd, -1
        os.close(fd)

    def write(self, chunk: bytes) -> None:
        """Raises InvalidArgument beyond the announced size, KnarrError when the disk is full.

        Then what is there is given up: the disk has other uses for it.
        """
        if self.offset + len(chunk) > self.size_bytes:
            raise InvalidArgument(
                f"{self.digest} is larger than the {self.size_bytes} bytes its manifest declares"
            )
        try:
            self._headroom.take(len(chunk))
            write_all(self._fd, chunk)
        except Unavailable as error:
            self.forget()
            raise KnarrError(str(error)) from error
        self._sha.update(chunk)
        with self._changed:
            self.offset += len(chunk)
            self._changed.notify_all()

    def commit(self) -> Blob:
        """A blob like any other, and pinned. Raises InvalidArgument when the digest is wrong."""
        self.verify()
        return self.adopt()

    def verify(self) -> None:
        """Tell the followers that it is whole. Raises InvalidArgument when the digest is wrong.

        What is wrong is not kept.
        """
        if self.offset != self.size_bytes or f"sha256:{self._sha.hexdigest()}" != self.digest:
            self.forget()
            raise InvalidArgument(f"filesystem layer verification failed for digest {self.digest}")
        with self._changed:
            self._verified = True
            self._changed.notify_all()

    def adopt(self) -> Blob:
        """Give what was verified its name, pinned."""
        self._store.adopt(self._path, self.digest)
        return Blob(digest=self.digest, size_bytes=self.offset)

    def fail(self, error: BaseException) -> None:
        """Tell the followers that the rest will not come."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def forget(self) -> None:
        """Keep nothing of it for a next time: it was wrong, or nobody will want it."""
        self._path.unlink(missing_ok=True)

    def follow(self) -> "Follower":
        """Raises Unavailable when the receiving is over, well or not."""
        return Follower(self)

    def wait_beyond(self, position: int) -> int:
        """Wait for bytes after ``position``; how many may be read in all.

        ``position`` itself means: that was all, and the digest holds. The last byte is kept back
        until it does: what is wrong never arrives whole. Raises Unavailable when the rest will not
        come.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._readable() > position or self._verified or self._failure is not None
            )
            if self._readable() > position or self._verified:
                return self._readable()
            raise Unavailable(f"{self.digest} did not arrive") from self._failure

    def _readable(self) -> int:
        return self.offset if self._verified else min(self.offset, self.size_bytes - 1)

    def duplicate(self) -> int:
        """A descriptor of the follower's own. Raises Unavailable when the receiving is over."""
        with self._changed:
            if self._fd < 0:
                raise Unavailable(f"{self.digest} is not arriving any more")
            return os.dup(self._fd)


class Follower:
    """Reads a blob while it arrives. ``position`` is how far it has come."""

    def __init__(self, partial: PartialBlob) -> None:
        self._partial = partial
        self._fd = partial.duplicate()
        self.position = 0

    def read(self, limit_bytes: int) -> bytes:
        """What is there, up to the limit; waits for more; empty at the verified end.

        Raises Unavailable when the rest will not come, or what came was wrong.
        """
        there = self._partial.wait_beyond(self.position)
        piece = os.pread(self._fd, min(limit_bytes, there - self.position), self.position)
        self.position += len(piece)
        return piece

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep_partials(store: BlobStore, now_s: float, older_than_s: float = _KEPT_S) -> None:
    """Delete beginnings that nobody has gone on with for so long."""
    for path in _folder(store).glob("*"):
        if path.stat().st_mtime < now_s - older_than_s:
            path.unlink(missing_ok=True)


def _folder(store: BlobStore) -> Path:
    return store.path(Digest(PREFIX)).parent / "partial"  # beside the folder of blobs


def _opened_alone(path: Path, digest: Digest) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Unavailable(f"{digest} is being received by another process") from None
    return fd
