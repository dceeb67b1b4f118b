"""TLS in front of a server: what arrives goes in decrypted, by a socket pair, and back.

asyncio's own TLS ends a connection both ways as soon as the far end says that it has nothing more
to send. Docker's clients say so when standard input ends, and still want the output: here each
direction ends by itself.
Source: RFC 8446, 6.1 (close_notify); docs/decisions/tls-relay.md.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from knarr.http.connections import Connections

_PIECE: Final = 64 * 1024  # bytes
_HANDSHAKE_S: Final = 20.0
_log = logging.getLogger("knarr.http")

Serve = Callable[[socket.socket], Awaitable[None]]


class TlsGate:
    """Takes connections on listening sockets, and hands over what proves to be TLS."""

    def __init__(self, context: ssl.SSLContext, serve: Serve, tasks: asyncio.TaskGroup) -> None:
        """serve: takes a connected stream socket, and answers on it from then on."""
        self._context, self._serve = context, serve
        self._connections = Connections(tasks)

    async def listen(self, sock: socket.socket) -> None:
        self._connections.listen(
            await asyncio.start_server(self._accepted, sock=sock, limit=_PIECE, backlog=512)
        )

    async def close(self) -> None:
        """Stop accepting, and end the connections that are still open."""
        await self._connections.close()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.accept(self._connection(reader, writer))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            channel = _Channel(self._context, reader, writer)
            async with asyncio.timeout(_HANDSHAKE_S):
                await channel.handshake()
            await self._relayed(channel)
        except ssl.SSLError as error:
            peer = writer.get_extra_info("peername")
            _log.warning("TLS with %s failed: %s", peer[0] if peer else "a client", error.reason)
        except (OSError, TimeoutError):
            pass  # the client went away: nobody is left to be told
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _relayed(self, channel: "_Channel") -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours, limit=_PIECE)
        try:
            await self._serve(theirs)
            async with asyncio.TaskGroup() as both:
                both.create_task(channel.inward(writer))
                both.create_task(channel.outward(reader))
        except* (OSError, ssl.SSLError):
            pass  # one end broke off: so does the other
        finally:
            writer.close()


class _Channel:
    """One TLS connection over plain asyncio streams."""

    def __init__(
        self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        """Raises ssl.SSLError for a stranger, ConnectionError where it breaks off."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                if not await self._fed():
                    raise ConnectionError("the client left within the handshake") from None
            except ssl.SSLError:
                await self._flushed()  # the alert that tells the client why
                raise
            else:
                break
        await self._flushed()

    async def inward(self, writer: asyncio.StreamWriter) -> None:
        """What the client sends, until it has nothing more to send."""
        while piece := await self._received():
            writer.write(piece)
            await writer.drain()
        writer.write_eof()

    async def outward(self, reader: asyncio.StreamReader) -> None:
        """What the server sends, until it has nothing more to send."""
        while piece := await reader.read(_PIECE):
            self._tls.write(piece)
            await self._flushed()
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()  # says that this direction has ended; it would like an answer, too
        await self._flushed()
        self._writer.write_eof()

    async def _received(self) -> bytes:
        while True:
            try:
                return self._tls.read(_PIECE)
            except ssl.SSLWantReadError:
                if not await self._fed():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def _fed(self) -> bool:
        """Take what has come over the network; False at its end."""
        await self._flushed()
        raw = await self._reader.read(_PIECE)
        self._incoming.write(raw)
        return bool(raw)

    async def _flushed(self) -> None:
        if data := self._outgoing.read():
            self._writer.write(data)
            await self._writer.drain()
