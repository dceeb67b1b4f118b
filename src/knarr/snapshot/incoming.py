"""A layer's plain tar on its way into the store."""

import mmap
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, Self

from knarr.content import Budget, Hasher, Headroom, write_all
from knarr.errors import InvalidArgument
from knarr.ids import DiffId
from knarr.snapshot.contents import Contents
from knarr.snapshot.model import Layer
from knarr.snapshot.tar import Member

TAR: Final = "layer.tar"


class Settle(Protocol):
    """Prepare a whole, hashed tar in its folder, and give that its name, pinned."""

    def __call__(
        self, incoming: Path, diff_id: DiffId, members: Sequence[Member] | None, /
    ) -> Contents: ...


class LayerWriter:
    """One layer's plain tar that is coming in; leaves nothing behind unless committed."""

    def __init__(self, settle: Settle, incoming: Path, budget: Budget) -> None:
        self._settle = settle
        self._incoming = incoming
        self._headroom = Headroom(incoming.parent, budget)
        incoming.mkdir(mode=0o755)
        self._fd = os.open(incoming / TAR, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._hasher = Hasher()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def size_bytes(self) -> int:
        return self._hasher.size_bytes

    @property
    def diff_id(self) -> DiffId:
        """Of all that was written; nothing may be written after this."""
        return DiffId(self._hasher.digest())

    def write(self, chunk: bytes | memoryview) -> None:
        """``chunk`` must not change afterwards. Raises Unavailable when the disk is full."""
        self._headroom.take(len(chunk))
        self._hasher.update(chunk)
        write_all(self._fd, chunk)

    def commit(
        self, expected: DiffId | None = None, *, members: Sequence[Member] | None = None
    ) -> Layer:
        """Prepared for mounting and under its name, pinned until it is recorded.

        members: of the archive, in order and with their places, by whoever has just written it.
        Raises InvalidArgument when it is not the expected layer, or is broken or hostile. Takes as
        long as unpacking: off the loop.
        """
        diff_id = self.diff_id
        if expected is not None and diff_id != expected:
            raise InvalidArgument(f"layer digest mismatch: expected {expected}, got {diff_id}")
        self._close()
        contents = self._settle(self._incoming, diff_id, members)
        return Layer(
            diff_id=diff_id,
            tar_bytes=self._hasher.size_bytes,
            content_bytes=contents.content_bytes,
            entries=contents.entries,
        )

    def abort(self) -> None:
        """Forget what was written; harmless after a commit."""
        self._hasher.close()
        self._close()
        shutil.rmtree(self._incoming, ignore_errors=True)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """A file's bytes, read-only, by mmap."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            yield memoryview(b"")
            return
        data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    data.madvise(mmap.MADV_SEQUENTIAL)
    view = memoryview(data)
    try:
        yield view
    finally:
        with suppress(BufferError):  # a traceback still holds a slice: freed with it
            view.release()
            data.close()
