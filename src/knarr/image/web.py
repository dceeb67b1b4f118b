"""The archive that a URL leads to, as a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import Final
from urllib.parse import urlsplit

from knarr.errors import InvalidArgument, Unavailable
from knarr.registry.web import answer_to, refuse_failure

_PIECE_BYTES: Final = 1 << 20


def url_of(source: str) -> str:
    """With ``http://`` where no scheme is said, as Docker does. Raises InvalidArgument."""
    url = source if "://" in source else f"http://{source}"
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https"):
        raise InvalidArgument(
            f"invalid source {source!r}: an archive is fetched by http or https, or sent with '-'"
        )
    if not parts.hostname:
        raise InvalidArgument(f"invalid source {source!r}: it names no host")
    return url


class Download:
    """A file of the web that has begun to come; whoever has it closes it."""

    def __init__(self, url: str) -> None:
        """Waits for the head: in a thread. Raises NotFound, Unavailable."""
        self.url = url
        with ExitStack() as undo:
            self._answer = undo.enter_context(answer_to(url, {}))
            refuse_failure(url, self._answer.status)
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._undo.close()

    async def pieces(self, report: Callable[[int, int], None]) -> AsyncIterator[bytes]:
        """The body. Raises Unavailable, also when it is cut short.

        report: is told how many bytes came, and of how many; 0 where the server does not say.
        """
        from urllib3.exceptions import HTTPError

        total, done = int(self._answer.headers.get("Content-Length", 0)), 0
        try:
            while piece := await asyncio.to_thread(self._answer.read, _PIECE_BYTES):
                done += len(piece)
                report(done, total)
                yield piece
        except HTTPError as error:
            raise Unavailable(f"failed to load {self.url}: {error}") from error
