"""Docker's multiplexed streams: frames that tell a container's outputs apart on one connection.

Source: Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

from knarr.errors import Unavailable

STDIN, STDOUT, STDERR, ENGINE_ERROR = range(4)
_HEADER = 8  # bytes: the stream's number, three zeros, the payload's length (big-endian)


class Demultiplexer:
    """Feed bytes, get (stream number, bytes) pairs; a long frame comes in the pieces it came in."""

    __slots__ = ("_buffer", "_left", "_stream")

    def __init__(self) -> None:
        self._buffer = b""
        self._stream = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Raises Unavailable when the bytes are no frames."""
        if self._buffer:
            data = self._buffer + data
        out: list[tuple[int, bytes]] = []
        place = 0
        while place < len(data):
            if not self._left:
                header = data[place : place + _HEADER]
                if len(header) < _HEADER:
                    break
                self._start(header)
                place += _HEADER
                continue
            piece = data[place : place + self._left]
            place += len(piece)
            self._left -= len(piece)
            out.append((self._stream, piece))
        self._buffer = data[place:]
        return out

    def _start(self, header: bytes) -> None:
        if header[0] > ENGINE_ERROR or header[1:4] != b"\0\0\0":
            raise Unavailable(f"Unrecognized input header: {header[0]}")
        self._stream = header[0]
        self._left = int.from_bytes(header[4:], "big")


def frame(stream: int, data: bytes) -> bytes:
    """One frame, as the engine would write it."""
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
