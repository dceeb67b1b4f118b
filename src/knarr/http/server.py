"""An HTTP/1.1 server on asyncio streams: h11 reads the heads, bodies pass by in large pieces.

h11 judges every request head (and with it the framing); a body is then read straight off the
stream, since passing each byte through a state machine costs three times as much.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import h11

from knarr.errors import InvalidArgument, KnarrError
from knarr.http.connections import Connections
from knarr.http.message import (
    Answer,
    Application,
    FileSlice,
    Hijack,
    Request,
    Response,
    Sized,
)

if TYPE_CHECKING:
    import ssl

_HEAD_LIMIT: Final = 64 * 1024
_BUFFER: Final = 1 << 20  # bytes read ahead on a connection before the client has to wait
_PIECE: Final = 256 * 1024  # bytes read at once from a body
_DRAIN_LIMIT: Final = 1 << 20  # bytes of an unread body swallowed to keep a connection alive
_BODILESS: Final = frozenset({204, 304})
_LINGER_S: Final = 2.0
_log = logging.getLogger("knarr.http")


class _Gone(ConnectionError):
    """The client closed the connection."""


class _Connection(asyncio.StreamReaderProtocol):
    """A stream whose far end's leaving can be awaited without reading from it."""

    def __init__(
        self, accepted: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]
    ) -> None:
        super().__init__(asyncio.StreamReader(limit=_BUFFER), accepted)
        self.gone = asyncio.Event()

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class RequestBody:
    """Reads one request's body off the stream, by Content-Length or by chunks."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        head: h11.Request,
        silence_s: float | None = None,
    ) -> None:
        self._reader, self._writer, self._silence_s = reader, writer, silence_s
        headers = dict(head.headers)
        self._chunked = b"transfer-encoding" in headers
        self._left = 0 if self._chunked else int(headers.get(b"content-length", b"0"))
        self._expects_continue = headers.get(b"expect", b"").lower() == b"100-continue"
        self.finished = not self._chunked and self._left == 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.finished:
            self.invite()
            if self._chunked and self._left == 0 and not await self._next_chunk():
                return
            async with asyncio.timeout(self._silence_s):
                piece = await self._reader.read(min(self._left, _PIECE))
            if not piece:
                raise _Gone("the client closed the connection within a request body")
            self._left -= len(piece)
            if self._chunked and self._left == 0:
                await self._reader.readexactly(2)
            elif self._left == 0:
                self.finished = True
            yield piece

    def invite(self) -> None:
        """Tell a client that waits for it to send on. Content when it does not wait."""
        if self._expects_continue and not self.finished:
            self._expects_continue = False
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _next_chunk(self) -> bool:
        line = await self._reader.readuntil(b"\r\n")
        try:
            self._left = int(line.split(b";")[0].strip(), 16)
        except ValueError as error:
            raise InvalidArgument("malformed chunk in the request body") from error
        if self._left:
            return True
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers say nothing that an engine needs
        self.finished = True
        return False

    async def read(self, limit_bytes: int = 4 << 20) -> bytes:
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if size > limit_bytes:
                raise InvalidArgument(f"request body is larger than {limit_bytes} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def drained(self) -> bool:
        """Swallow a small rest that nobody read; False when the connection is better closed."""
        if self.finished:
            return True
        if self._expects_continue:
            return False
        swallowed = 0
        async for piece in self:
            swallowed += len(piece)
            if swallowed > _DRAIN_LIMIT:
                return False
        return True


class Server:
    """Serves one application on any number of listening sockets, each connection a task."""

    def __init__(
        self,
        application: Application,
        tasks: asyncio.TaskGroup,
        headers: Mapping[str, str],
        *,
        silence_s: float | None = None,
    ) -> None:
        """headers: sent with every answer.

        silence_s: who sends nothing for so long, where something is awaited, is hung up on: for
        servers that strangers reach. None waits for ever.
        """
        self._application = application
        self._silence_s = silence_s
        self._common = _header_lines(headers)
        self._connections = Connections(tasks)

    async def listen(self, sock: socket.socket, tls: "ssl.SSLContext | None" = None) -> None:
        """Accept connections on a bound stream socket, unix or TCP."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: _Connection(self._accepted),
            sock=sock,
            ssl=tls,
            backlog=512,
            ssl_shutdown_timeout=_LINGER_S if tls else None,
        )
        self._connections.listen(listener)

    async def serve(self, sock: socket.socket) -> None:
        """Answer on a stream socket that is connected already."""
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: _Connection(self._accepted), sock)

    async def close(self) -> None:
        """Stop accepting, and end the connections that are still open."""
        await self._connections.close()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.accept(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one_request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client went away: nobody is left to be told
        except Exception:
            _log.exception("connection failed")
        finally:
            writer.close()
            # Not one of a stranger's connections, however it ends, may end the server: with TLS
            # the far end can fail to say goodbye (TimeoutError), or say nonsense (SSLError).
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Serve the next request; False when the connection is over."""
        try:
            async with asyncio.timeout(self._silence_s):
                head = await _read_head(reader)
        except h11.RemoteProtocolError as error:
            _write_head(writer, int(error.error_status_hint), {"Connection": "close"}, b"")
            writer.write(f"{error}\n".encode())
            return False
        if head is None:
            return False
        body = RequestBody(reader, writer, head, self._silence_s)
        request = _request(head, body)
        answer = await self._application(request)
        if isinstance(answer, Hijack):
            await self._hijacked(answer, reader, writer)
            return False
        if not isinstance(answer.body, bytes):
            body.invite()  # what is made as it goes may read as it goes: in its midst is too late
        reusable = await self._answered(request, answer, writer)
        if await body.drained():
            return reusable and _wants_keep_alive(head)
        await _linger(reader, writer)
        return False

    async def _hijacked(
        self, answer: Hijack, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        _write_head(writer, answer.status, answer.headers, self._common)
        await writer.drain()
        await answer.talk(reader, writer)

    async def _answered(
        self, request: Request, answer: Response, writer: asyncio.StreamWriter
    ) -> bool:
        """Send the answer; False when the connection cannot be used again."""
        if isinstance(answer.body, bytes):
            headers = dict(answer.headers)
            if answer.status not in _BODILESS:
                headers.setdefault("Content-Length", str(len(answer.body)))
            _write_head(writer, answer.status, headers, self._common)
            if request.method != "HEAD" and answer.status not in _BODILESS:
                writer.write(answer.body)
            await writer.drain()
            return True
        if isinstance(answer.body, FileSlice):
            return await self._file_answered(request, answer, answer.body, writer)
        if isinstance(answer.body, Sized):
            pieces, framed = answer.body.pieces, False
            length = {"Content-Length": str(answer.body.count)}
        else:
            pieces, framed = answer.body, True
            length = {"Transfer-Encoding": "chunked"}
        _write_head(writer, answer.status, {**answer.headers, **length}, self._common)
        await writer.drain()
        if request.method == "HEAD":
            await _close(pieces)
            return True
        return await _stream_until_gone(pieces, framed, writer, _gone_of(writer))

    async def _file_answered(
        self, request: Request, answer: Response, part: FileSlice, writer: asyncio.StreamWriter
    ) -> bool:
        with os.fdopen(part.fd, "rb", buffering=0) as file:
            headers = {**answer.headers, "Content-Length": str(part.count)}
            _write_head(writer, answer.status, headers, self._common)
            await writer.drain()
            if request.method == "HEAD" or not part.count:
                return True
            loop = asyncio.get_running_loop()
            sent = await loop.sendfile(writer.transport, file, part.offset, part.count)
            return sent == part.count


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a client that is still sending read the answer: a reset would take it away.

    Source: RFC 9112, 9.6.
    """
    if writer.can_write_eof():
        writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while await reader.read(_PIECE):
                pass


def _gone_of(writer: asyncio.StreamWriter) -> asyncio.Event:
    connection = writer.transport.get_protocol()
    assert isinstance(connection, _Connection)
    return connection.gone


async def _stream_until_gone(
    pieces: AsyncIterator[bytes],
    framed: bool,
    writer: asyncio.StreamWriter,
    gone: asyncio.Event,
) -> bool:
    """Send pieces as they come; when the client hangs up, cancel whoever makes them."""
    sending = asyncio.ensure_future(_send_pieces(pieces, framed, writer))
    watching = asyncio.ensure_future(gone.wait())
    try:
        await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        return sending.done() and await sending
    finally:
        watching.cancel()
        sending.cancel()
        await asyncio.gather(sending, watching, return_exceptions=True)


async def _send_pieces(
    pieces: AsyncIterator[bytes], framed: bool, writer: asyncio.StreamWriter
) -> bool:
    """framed: each piece as a chunk of its own; else as it is, the length being known."""
    try:
        async for piece in pieces:
            if piece:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framed else piece)
                await writer.drain()
        if framed:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except ConnectionError:
        raise
    except KnarrError as error:
        # The head is out: all that is left to say is that the body is not whole.
        _log.warning("a streamed answer broke off: %s", error)
        return False
    except Exception:
        _log.exception("a streamed answer broke off")
        return False
    finally:
        await _close(pieces)
    return True


async def _close(pieces: AsyncIterator[bytes]) -> None:
    if (aclose := getattr(pieces, "aclose", None)) is not None:
        await aclose()


async def _read_head(reader: asyncio.StreamReader) -> h11.Request | None:
    try:
        first = await reader.readexactly(1)
        if not (first.isalpha() or first in b"\r\n"):
            # Someone tries TLS, and would wait for an answer that never comes.
            raise h11.RemoteProtocolError("not an HTTP request")
        raw = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise h11.RemoteProtocolError("request head too long", error_status_hint=431) from None
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)
    parser.receive_data(raw)
    event = parser.next_event()
    if not isinstance(event, h11.Request):
        raise h11.RemoteProtocolError("not an HTTP request")
    return event


def _request(head: h11.Request, body: RequestBody) -> Request:
    path, _, query = head.target.decode("ascii").partition("?")
    return Request(
        method=head.method.decode("ascii"),
        path=unquote(path),
        raw_query=query,
        headers=_joined(head.headers),
        body=body,
    )


def _wants_keep_alive(head: h11.Request) -> bool:
    connection = dict(head.headers).get(b"connection", b"").lower()
    return head.http_version == b"1.1" and b"close" not in connection


def _header_lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")


def _reason(status: int) -> str:
    # Docker's clients look for this spelling when they leave HTTP.
    return "UPGRADED" if status == HTTPStatus.SWITCHING_PROTOCOLS else HTTPStatus(status).phrase


def _write_head(
    writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], common: bytes
) -> None:
    line = f"HTTP/1.1 {status} {_reason(status)}\r\n".encode("ascii")
    writer.write(line + common + _header_lines(headers) + b"\r\n")


__all__ = ["Answer", "RequestBody", "Server"]


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name; a name that comes twice has both values (RFC 9110, "Field Lines and Combined")."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
