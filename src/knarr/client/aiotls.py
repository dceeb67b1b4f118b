"""TLS on asyncio's plain streams, with the half close that a hijacked connection needs.

asyncio's own TLS answers the end of one direction by closing both (docs/decisions/tls-relay.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from knarr.client.connection import RECEIVE, Connection

R = TypeVar("R")
_RECORD = 16384  # bytes, as many as one TLS record takes


class _Reader(asyncio.StreamReader):
    """Knows that the peer has gone, also while there is something left to be read."""

    ended = False

    def feed_eof(self) -> None:
        self.ended = True
        super().feed_eof()


class TlsConnection(Connection):
    """As a plain one. Reading waits in one task, writing in another."""

    def __init__(
        self, reader: _Reader, writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str
    ) -> None:
        super().__init__(reader, writer)
        self._plain = reader
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    @classmethod
    async def dial(cls, host: str, port: int, context: ssl.SSLContext) -> TlsConnection:
        """Raises OSError, of which SSLError is one."""
        loop = asyncio.get_running_loop()
        reader = _Reader(limit=RECEIVE, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(lambda: protocol, host, port)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        connection = cls(reader, writer, context, host)
        try:
            await connection._pumped(connection._session.do_handshake)
        except BaseException:
            writer.close()
            raise
        return connection

    async def _pumped(self, step: Callable[[], R]) -> R:
        """Do one step of TLS, moving bytes until it is done."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                if data := await self._plain.read(RECEIVE):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await super().send(data)

    async def send(self, data: bytes) -> None:
        for start in range(0, len(data), _RECORD):
            await self._pumped(partial(self._session.write, data[start : start + _RECORD]))

    async def receive(self) -> bytes:
        try:
            data: bytes = await self._pumped(lambda: self._session.read(RECEIVE))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        return data

    def close_write(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # it would wait for the peer to close as well
            self._session.unwrap()
        self._writer.write(self._outgoing.read())

    @property
    def idle(self) -> bool:
        return not self._plain.ended and not self._writer.is_closing()
