"""One blob, sent: found there, mounted from a neighbour, or uploaded, again after a break.

Blocking, for worker threads.
Source: OCI distribution-spec 1.1, "Pushing Blobs"; streams are PATCHed as Docker does.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import quote

from knarr.content import BlobStore
from knarr.errors import KnarrError, Unavailable
from knarr.ids import Digest
from knarr.registry.challenge import scope
from knarr.registry.client import RegistryClient
from knarr.registry.failures import Refused
from knarr.registry.origin import checked_target
from knarr.registry.transport import Reply
from knarr.spec.oci.image import Descriptor

_PIECE: Final = 1 << 20
_SMALL: Final = 1 << 20  # bytes that go with the request that closes the upload
_CAREFUL_CHUNK: Final = 32 << 20  # bytes, for registries that refuse larger requests
_PROGRESS_BYTES: Final = 1 << 20
_RECEIVED: Final = re.compile(r"(?:bytes=)?0-(\d+)")
_BYTES: Final = {"Content-Type": "application/octet-stream"}
_NO_BODY: Final = {"Content-Length": "0"}


class Way(Enum):
    """How a blob came to be in a repository."""

    THERE = auto()
    MOUNTED = auto()
    SENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """neighbour: the repository it was mounted from, where it was."""

    way: Way
    neighbour: str = ""


def upload(
    target: RegistryClient,
    blobs: BlobStore,
    descriptor: Descriptor,
    neighbours: Sequence[str],
    progress: Callable[[int], None],
) -> Arrival:
    """See to it that ``target`` has a blob which is in our store.

    neighbours: repositories of the same registry that are believed to have it.
    progress: told how many bytes are there, again and again.
    """
    if target.blob_size(descriptor.digest) is not None:
        return Arrival(way=Way.THERE)
    for neighbour in neighbours:
        if _mounted(target, descriptor, neighbour):
            return Arrival(way=Way.MOUNTED, neighbour=neighbour)
    sending = _Sending(target, blobs, descriptor, progress)
    try:
        sending.run()
    finally:
        sending.close()
    return Arrival(way=Way.SENT)


def _mounted(target: RegistryClient, descriptor: Descriptor, neighbour: str) -> bool:
    """Ask the registry to take the blob from another of its repositories."""
    place = f"blobs/uploads/?mount={quote(descriptor.digest)}&from={quote(neighbour, safe='')}"
    own = target.endpoint.repository
    rights = (scope(own, "pull", "push"), scope(neighbour, "pull"))
    try:
        reply = target.ask("POST", place, headers=_NO_BODY, scopes=rights)
    except KnarrError:
        return False  # no right to the neighbour, or no such thing: there is the long way
    reply.discard()
    if reply.status == 201:
        return True
    _cancel(target, _location(target, reply))
    return False


class _Sending:
    """One blob's upload: opened, filled, closed; opened anew when the registry forgot it."""

    def __init__(
        self,
        target: RegistryClient,
        blobs: BlobStore,
        descriptor: Descriptor,
        progress: Callable[[int], None],
    ) -> None:
        self._target, self._descriptor, self._progress = target, descriptor, progress
        self._fd = blobs.open(Digest(descriptor.digest))
        self._size = os.fstat(self._fd).st_size
        self._location = ""
        self._offset = 0
        self._chunk_bytes = self._size

    def close(self) -> None:
        os.close(self._fd)

    def run(self) -> None:
        failures, best = 0, 0
        while True:
            try:
                self._attempt()
            except (Unavailable, Refused) as error:
                if self._too_much_at_once(error):
                    continue
                advanced = self._offset - best >= _PROGRESS_BYTES
                best = max(best, self._offset)
                failures = 1 if advanced else failures + 1
                self._target.patience.wait(failures, error)
                self._find_again()
            else:
                return

    def _attempt(self) -> None:
        if not self._location:
            self._open()
        if self._size > _SMALL:
            while self._offset < self._size:
                self._send_chunk(min(self._chunk_bytes, self._size - self._offset))
        self._finish()

    def _open(self) -> None:
        reply = self._target.ask("POST", "blobs/uploads/", headers=_NO_BODY, again=False)
        reply.discard()
        self._offset = 0
        self._location = _location(self._target, reply)

    def _send_chunk(self, count: int) -> None:
        start, end = self._offset, self._offset + count
        headers = {**_BYTES, "Content-Length": str(count)}
        if count != self._size:  # a stream in one piece is sent as Docker does, without
            headers["Content-Range"] = f"{start}-{end - 1}"
        reply = self._target.ask(
            "PATCH", self._location, headers=headers, body=lambda: self._pieces(start, end),
            again=False,
        )  # fmt: skip
        reply.discard()
        self._location = _location(self._target, reply)
        self._offset = end

    def _finish(self) -> None:
        """Close the upload; a small blob goes along."""
        start, end = self._offset, self._size
        joint = "&" if "?" in self._location else "?"
        url = f"{self._location}{joint}digest={quote(self._descriptor.digest)}"
        reply = self._target.ask(
            "PUT", url, headers={**_BYTES, "Content-Length": str(end - start)},
            body=lambda: self._pieces(start, end), again=False,
        )  # fmt: skip
        reply.discard()
        stored = reply.header("Docker-Content-Digest")
        if stored and stored != self._descriptor.digest:
            raise KnarrError(
                f"the registry stored {stored} where {self._descriptor.digest} was sent"
            )
        self._progress(self._size)

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        position = start
        while position < end:
            self._target.patience.cancellation.check()
            piece = os.pread(self._fd, min(_PIECE, end - position), position)
            if not piece:
                raise KnarrError(f"{self._descriptor.digest} is shorter than it was")
            yield piece
            position += len(piece)
            self._progress(position)

    def _find_again(self) -> None:
        """After a break: go on from what the registry says it has, or else begin anew."""
        location, self._location = self._location, ""
        if not location or self._size <= _SMALL:
            return
        try:
            reply = self._target.ask("GET", location, again=False)
        except KnarrError:
            return
        reply.discard()
        match = _RECEIVED.fullmatch(reply.header("Range") or "")
        # "0-0" is said of one byte and of none alike
        if match and 0 < int(match[1]) < self._size:
            self._offset = int(match[1]) + 1
            self._location = _location(self._target, reply) or location

    def _too_much_at_once(self, error: KnarrError) -> bool:
        """Whether it is worth while to go on in smaller chunks: a proxy may limit requests."""
        refused = isinstance(error, Refused) and error.refusal.status == 413
        if not refused or self._chunk_bytes <= _CAREFUL_CHUNK:
            return False
        self._chunk_bytes = _CAREFUL_CHUNK
        self._location = ""
        return True


def _location(target: RegistryClient, reply: Reply) -> str:
    """Where an upload goes on. Raises Forbidden for odd places, Unavailable when it is not told."""
    place = reply.header("Location")
    if not place:
        raise Unavailable(f"{target.endpoint.host} opened an upload and did not say where")
    return checked_target(target.base() + "/", place, insecure=target.endpoint.insecure)


def _cancel(target: RegistryClient, location: str) -> None:
    try:
        target.ask("DELETE", location, again=False).discard()
    except KnarrError:
        return  # it will be forgotten one day
