"""A connection that a client has taken over: bytes both ways with a container's streams."""

import json
import socket
import struct

from support.daemon import Daemon

_PATIENCE_S = 30.0


class Conversation:
    """One hijacked request: an attachment, or an exec's start."""

    def __init__(self, daemon: Daemon, target: str, body: object = None) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(_PATIENCE_S)
        self._connection.connect(str(daemon.socket))
        document = json.dumps(body).encode() if body is not None else b""
        head = (
            f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(document)}\r\n\r\n"
        )
        self._connection.sendall(head.encode() + document)
        self.shown = b""  # all that has come after the head
        while b"\r\n\r\n" not in self.shown:
            assert self._more(), self.shown
        self.head, _, self.shown = self.shown.partition(b"\r\n\r\n")

    def _more(self) -> bool:
        data = self._connection.recv(65536)
        self.shown += data
        return bool(data)

    def type(self, text: bytes) -> None:
        self._connection.sendall(text)

    def expect(self, text: bytes) -> None:
        while text not in self.shown:
            assert self._more(), f"it ended without {text!r}: {self.shown!r}"

    def rest(self) -> bytes:
        """All that comes until the engine ends it."""
        while self._more():
            pass
        self.close()
        return self.shown

    def close(self) -> None:
        self._connection.close()


def by_stream(text: bytes) -> dict[int, bytes]:
    """What is in frames, by the number of the stream."""
    found: dict[int, bytes] = {}
    while text:
        number, length = struct.unpack(">BxxxL", text[:8])
        found[number] = found.get(number, b"") + text[8 : 8 + length]
        text = text[8 + length :]
    return found
