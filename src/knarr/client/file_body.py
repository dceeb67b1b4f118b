"""A file as the body of a request: its length is told first, and the kernel sends it."""

from __future__ import annotations

import _socket
import os

from knarr.client.lean import TYPE_CHECKING
from knarr.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knarr.client.blocking import Socket

_PIECE = 256 * 1024  # bytes read at once, where the kernel cannot send
_AT_ONCE = 16 << 20  # bytes that one system call sends


class FileBody:
    """What is left of an open regular file; closed when it was sent, or was given up.

    size_bytes: of the body, fixed now. A file that grows meanwhile is sent so far; one that shrinks
    raises Unavailable.
    """

    __slots__ = ("_descriptor", "_end", "_start", "size_bytes")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._start = os.lseek(descriptor, 0, os.SEEK_CUR)
        self._end = max(os.fstat(descriptor).st_size, self._start)
        self.size_bytes = self._end - self._start

    def __iter__(self) -> Iterator[bytes]:
        try:
            position = self._start
            while position < self._end:
                piece = os.pread(self._descriptor, min(_PIECE, self._end - position), position)
                self._check(len(piece))
                position += len(piece)
                yield piece
        finally:
            os.close(self._descriptor)

    def send_on(self, socket: Socket) -> None:
        """All of it. Raises OSError where the connection breaks."""
        if not isinstance(socket, _socket.socket):  # it encrypts
            for piece in self:
                socket.sendall(piece)
            return
        try:
            position, out = self._start, socket.fileno()
            while position < self._end:
                count = min(_AT_ONCE, self._end - position)
                sent = os.sendfile(out, self._descriptor, position, count)
                self._check(sent)
                position += sent
        finally:
            os.close(self._descriptor)

    def _check(self, count: int) -> None:
        if not count:
            raise Unavailable("the file became shorter while it was sent")
