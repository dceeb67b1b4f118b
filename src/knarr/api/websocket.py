"""A WebSocket as a source and a sink of bytes. Source: RFC 6455, by wsproto."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from knarr.errors import InvalidArgument
from knarr.http.message import ByteSink, ByteSource, Request

_ACCEPT: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def accepted(request: Request) -> Mapping[str, str]:
    """The headers that agree to the upgrade. Raises InvalidArgument without the client's key."""
    key = request.headers.get("sec-websocket-key")
    if not key:
        raise InvalidArgument("the WebSocket handshake has no key")
    digest = hashlib.sha1((key + _ACCEPT).encode()).digest()
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Accept": base64.b64encode(digest).decode(),
    }


class ToWebSocket:
    """Bytes written here leave as binary messages."""

    def __init__(self, sink: ByteSink) -> None:
        self._sink = sink
        self.connection = Connection(ConnectionType.SERVER)

    def write(self, data: bytes) -> None:
        self.send(BytesMessage(data=data))

    def send(self, event: Event) -> None:
        try:
            self._sink.write(self.connection.send(event))
        except LocalProtocolError:
            return  # closed meanwhile: there is nobody to tell

    async def drain(self) -> None:
        await self._sink.drain()

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        self.close()

    def close(self) -> None:
        self.send(CloseConnection(code=1000))


class FromWebSocket:
    """The payloads of messages, text or binary; ends when the client closes."""

    def __init__(self, source: ByteSource, outward: ToWebSocket) -> None:
        self._source = source
        self._outward = outward
        self._ended = False

    async def read(self, n: int = -1) -> bytes:
        while not self._ended:
            data = await self._source.read(n if n > 0 else 65536)
            self._outward.connection.receive_data(data or None)
            if payload := self._payload():
                return payload
            self._ended = self._ended or not data
        return b""

    def _payload(self) -> bytes:
        pieces = []
        for event in self._outward.connection.events():
            match event:
                case BytesMessage():
                    pieces.append(bytes(event.data))
                case TextMessage():
                    pieces.append(event.data.encode())
                case Ping():
                    self._outward.send(event.response())
                case CloseConnection():
                    self._ended = True
        return b"".join(pieces)
