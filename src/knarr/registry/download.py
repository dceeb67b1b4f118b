"""One blob, received: in several sittings if need be, never more than was announced.

Blocking, for worker threads.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from knarr.content.partial import PartialBlob
from knarr.errors import KnarrError, Unavailable
from knarr.registry.client import BlobReply, RegistryClient
from knarr.registry.failures import Refused

_PROGRESS_BYTES: Final = 1 << 20
"""Received in one sitting, they make up for all failures before it."""


def download(
    sources: Sequence[RegistryClient], partial: PartialBlob, progress: Callable[[int], None]
) -> None:
    """Fill ``partial`` from the first source that has the blob; the next goes on where it broke.

    progress: told how many bytes are there, again and again.
    Raises the last source's error; what was received stays in ``partial``.
    """
    for source in sources[:-1]:
        try:
            _from_one(source, partial, progress)
        except KnarrError:
            continue
        return
    _from_one(sources[-1], partial, progress)


def _from_one(
    source: RegistryClient, partial: PartialBlob, progress: Callable[[int], None]
) -> None:
    failures = 0
    while partial.offset < partial.size_bytes:
        before = partial.offset
        try:
            _receive(source, partial, progress)
        except (Unavailable, Refused) as error:
            failures = 1 if partial.offset - before >= _PROGRESS_BYTES else failures + 1
            source.patience.wait(failures, error)


def _receive(source: RegistryClient, partial: PartialBlob, progress: Callable[[int], None]) -> None:
    """One sitting. Raises Unavailable when it ends before the blob does."""
    reply = source.blob(partial.digest, partial.offset)
    try:
        for piece in _missing(reply, source, partial.offset):
            partial.write(piece)
            progress(partial.offset)
    finally:
        reply.close()
    if partial.offset < partial.size_bytes:
        raise Unavailable(
            f"{partial.digest} broke off after {partial.offset} of {partial.size_bytes} bytes"
        )


def _missing(reply: BlobReply, source: RegistryClient, offset: int) -> Iterator[bytes]:
    """The pieces from ``offset`` on; a registry without ranges begins anew each time."""
    ahead = offset - reply.offset
    for piece in reply.pieces(source.patience.cancellation):
        if len(piece) > ahead:
            yield piece[ahead:] if ahead else piece
        ahead = max(0, ahead - len(piece))
