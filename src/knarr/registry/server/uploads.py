"""Uploads under way: each a temporary file of the content store, hashed as it grows.

They live as long as the process: after a restart a client is told that its upload is unknown, and
begins it anew.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterable, Callable
from typing import Final

from knarr.content import Blob, BlobStore, BlobWriter
from knarr.errors import InvalidArgument
from knarr.ids import Digest
from knarr.registry.server.problems import Problem

_IDLE_S: Final = 3600.0
_AT_ONCE: Final = 2000


class Upload:
    """One upload. ``held`` keeps two requests from writing to it at once."""

    def __init__(self, name: str, session: str, writer: BlobWriter) -> None:
        self.name, self.session = name, session
        self.held = asyncio.Lock()
        self.used_s = 0.0
        self._writer = writer

    @property
    def offset(self) -> int:
        """How many bytes there are."""
        return self._writer.size_bytes

    async def append(self, body: AsyncIterable[bytes]) -> None:
        """What has arrived when the client goes away stays: it can go on from there."""
        async for piece in body:
            await asyncio.to_thread(self._writer.write, piece)

    async def commit(self, expected: Digest) -> Blob:
        """The blob, pinned. Raises Problem when it has another digest; the upload is over then."""
        try:
            return await asyncio.to_thread(self._writer.commit, expected)
        except InvalidArgument as error:
            self.abort()
            raise Problem("DIGEST_INVALID") from error

    def abort(self) -> None:
        self._writer.abort()


class Uploads:
    """All uploads of one registry, by session."""

    def __init__(
        self,
        blobs: BlobStore,
        *,
        idle_s: float = _IDLE_S,
        at_once: int = _AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """idle_s: after so many seconds without a request an upload is forgotten."""
        self._blobs, self._idle_s, self._at_once, self._clock = blobs, idle_s, at_once, clock
        self._running: dict[str, Upload] = {}

    def begin(self, name: str) -> Upload:
        """Raises Problem when there are too many."""
        self.forget_idle()
        if len(self._running) >= self._at_once:
            raise Problem("TOOMANYREQUESTS", "too many uploads under way")
        session = secrets.token_urlsafe(18)
        upload = Upload(name, session, self._blobs.writer())
        upload.used_s = self._clock()
        self._running[session] = upload
        return upload

    def find(self, name: str, session: str) -> Upload:
        """Raises Problem for a session that is not of this repository, or over."""
        upload = self._running.get(session)
        if upload is None or upload.name != name:
            raise Problem("BLOB_UPLOAD_UNKNOWN")
        upload.used_s = self._clock()
        return upload

    def forget(self, upload: Upload) -> None:
        """It is over, well or not: nothing is left of what was not committed."""
        self._running.pop(upload.session, None)
        upload.abort()

    def forget_idle(self) -> None:
        limit = self._clock() - self._idle_s
        for upload in list(self._running.values()):
            if upload.used_s < limit and not upload.held.locked():
                self.forget(upload)

    def close(self) -> None:
        for upload in list(self._running.values()):
            self.forget(upload)
