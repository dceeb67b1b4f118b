"""Every byte of the store read again: each blob against its digest, each layer against its diff ID.

Runs in threads, two files at a time: hashing and reading let the daemon's loop run.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from knarr.content import BlobStore
from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import DiffId, Digest
from knarr.snapshot import Layers
from knarr.upkeep.judging import Read

_PIECE: Final = 1 << 20
_WORKERS: Final = 2

Report = Callable[[str, int, int], None]
"""Of what is read: its name, bytes so far, bytes in all."""


class Stopped(KnarrError):
    """Nobody waits for the result any more."""


class Reader:
    """One reading. ``stop`` ends it soon, from any thread."""

    def __init__(self, blobs: BlobStore, layers: Layers, report: Report) -> None:
        self._blobs, self._layers, self._report = blobs, layers, report
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self._stopping = False

    def stop(self) -> None:
        self._stopping = True

    def read(
        self, blobs: Iterable[tuple[Digest, int]], layers: Iterable[tuple[DiffId, int]]
    ) -> Read:
        """Each with the size its row says. What goes away meanwhile is no problem of its own."""
        blobs, layers = list(blobs), list(layers)
        for name, them in (("blobs", blobs), ("layers", layers)):
            self._done[name] = 0
            self._total[name] = sum(size for _, size in them)
        with ThreadPoolExecutor(_WORKERS, "fsck") as workers:
            said = list(workers.map(lambda each: self._blob(*each), blobs))
            told = list(workers.map(lambda each: self._layer(*each), layers))
        return Read(
            blobs={digest: why for (digest, _), why in zip(blobs, said, strict=True) if why},
            tars={diff_id: why for (diff_id, _), (why, _) in zip(layers, told, strict=True) if why},
            made={diff_id: why for (diff_id, _), (_, why) in zip(layers, told, strict=True) if why},
            read_bytes=sum(self._done.values()),
        )

    def _blob(self, digest: Digest, size_bytes: int) -> str:
        return self._compared("blobs", self._blobs.path(digest), digest, size_bytes)

    def _layer(self, diff_id: DiffId, tar_bytes: int) -> tuple[str, str]:
        """What is wrong with its tar, and with what is mounted of it."""
        tar = self._layers.folder(diff_id) / "layer.tar"
        why = self._compared("layers", tar, diff_id, tar_bytes)
        if why:
            return why, ""
        try:
            sound = self._layers.is_sound(diff_id)
        except FileNotFoundError:
            return "", ""
        except (OSError, InvalidArgument) as error:
            return "", f"what is mounted of it cannot be checked: {error}"
        return "", "" if sound else "what is mounted of it is not what its tar says"

    def _compared(self, kind: str, path: os.PathLike[str], digest: str, size_bytes: int) -> str:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return "" if not os.path.isdir(os.path.dirname(path)) else "its file is missing"
        except OSError as error:
            return f"its file cannot be read: {error.strerror}"
        try:
            there = os.fstat(fd).st_size
            if there != size_bytes:
                return f"its file has {there} bytes, not {size_bytes}"
            found = self._hashed(kind, fd)
        except OSError as error:
            return f"its file cannot be read: {error.strerror}"
        finally:
            os.close(fd)
        return "" if found == digest else f"its file has the digest {found}"

    def _hashed(self, kind: str, fd: int) -> str:
        sha, buffer = hashlib.sha256(), bytearray(_PIECE)
        view = memoryview(buffer)
        while count := os.readv(fd, [buffer]):
            if self._stopping:
                raise Stopped("the check was called off")
            sha.update(view[:count])
            with self._lock:
                self._done[kind] += count
                done = self._done[kind]
            self._report(kind, done, self._total[kind])
        return f"sha256:{sha.hexdigest()}"
