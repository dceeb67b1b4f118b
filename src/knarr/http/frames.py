"""Docker's multiplexed streams: frames that tell a container's outputs apart on one connection.

Source: Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

from knarr.errors import Unavailable

# A client that sends this as ``Accept`` wants a log in frames of many lines; others get a frame for
# each, since some take one for the other.
LINES_TOGETHER = "application/vnd.knarr.lines-together"

STDIN, STDOUT, STDERR, ENGINE_ERROR = range(4)
_HEADER = 8  # bytes: the stream's number, three zeros, the payload's length (big-endian)
_ZEROS = 0x00FFFFFF_00000000


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
        stream, left, place, size = self._stream, self._left, 0, len(data)
        while place < size:  # a log has a frame for each line: what is done here is done often
            if not left:
                if size - place < _HEADER:
                    break
                header = int.from_bytes(data[place : place + _HEADER], "big")
                stream, left = header >> 56, header & 0xFFFFFFFF
                if stream > ENGINE_ERROR or header & _ZEROS:
                    raise Unavailable(f"Unrecognized input header: {stream}")
                place += _HEADER
                continue
            piece = data[place : place + left]
            place += len(piece)
            left -= len(piece)
            out.append((stream, piece))
        self._stream, self._left, self._buffer = stream, left, data[place:]
        return out


def joined(pairs: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The same bytes in the same order, with neighbours of one stream as one piece."""
    out: list[tuple[int, bytes]] = []
    stream, pieces = STDOUT, list[bytes]()
    for number, piece in pairs:
        if number != stream and pieces:
            out.append((stream, b"".join(pieces)))
            pieces = []
        stream = number
        pieces.append(piece)
    if pieces:
        out.append((stream, b"".join(pieces)))
    return out


def frame(stream: int, data: bytes) -> bytes:
    """One frame, as the engine would write it."""
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
