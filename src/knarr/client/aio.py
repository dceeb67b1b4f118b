"""The asynchronous face: the same requests on asyncio's streams.

``AsyncEngine`` is to ``AsyncClient`` what blocking.Engine is to Client; the bytes on the wire are
made and read by the same code.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self

from knarr.client import versions
from knarr.client.blocking import CannotConnect, os_words
from knarr.client.call import Request
from knarr.client.connection import Connection
from knarr.client.endpoint import Endpoint
from knarr.client.file_body import FileBody
from knarr.client.lean import loads
from knarr.client.requests import HIJACK, failure, framed_head
from knarr.client.wire import LAST_CHUNK, Exchange, Head, chunk
from knarr.errors import Unavailable
from knarr.http.frames import STDOUT, Demultiplexer

if TYPE_CHECKING:
    from knarr.client.requests import Headers


async def dial(endpoint: Endpoint) -> Connection:
    """A connection to the engine. Raises CannotConnect in Docker's words."""
    try:
        if endpoint.scheme == "unix":
            return Connection(*await asyncio.open_unix_connection(endpoint.path))
        if endpoint.scheme == "ssh":
            return await _program(endpoint.ssh_command())
        if endpoint.tls is not None:
            from knarr.client.aiotls import TlsConnection
            from knarr.client.far import tls_context

            context = tls_context(endpoint.tls)
            return await TlsConnection.dial(endpoint.host, endpoint.port, context)
        return Connection(*await asyncio.open_connection(endpoint.host, endpoint.port))
    except OSError as error:
        raise CannotConnect(
            f"Cannot connect to the Docker daemon at {endpoint.text}. Is the docker daemon running?"
        ) from error


async def _program(argv: list[str]) -> Connection:
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
    assert program.stdin is not None
    assert program.stdout is not None
    return Connection(program.stdout, program.stdin, program)


class Answer:
    """One answer under way."""

    def __init__(
        self, engine: AsyncEngine, connection: Connection, exchange: Exchange, early: bytes
    ) -> None:
        self._engine = engine
        self._connection: Connection | None = connection
        self._exchange = exchange
        self._early = early

    @property
    def head(self) -> Head:
        assert self._exchange.head is not None
        return self._exchange.head

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The body as it comes."""
        try:
            if self._early:
                yield self._early
            while not self._exchange.ended and self._connection is not None:
                if piece := self._exchange.feed(await self._connection.receive()):
                    yield piece
        finally:
            await self.close()

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])

    def take_over(self) -> tuple[Connection, bytes]:
        """The connection itself, once it is no longer HTTP, and what has come on it already."""
        assert self._connection is not None
        connection, self._connection = self._connection, None
        return connection, self._early + self._exchange.rest

    async def close(self) -> None:
        """Give the connection back where it can serve again, else drop it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._exchange.reusable:
            self._engine.keep(connection)
        else:
            await connection.close()


class AsyncStream:
    """A hijacked connection: what the process writes comes in, what is sent is its stdin."""

    def __init__(self, connection: Connection, early: bytes, *, raw: bool) -> None:
        self._connection = connection
        self._early = early
        self._frames = Demultiplexer()
        self.raw = raw  # a terminal's bytes, all of them output

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        """Pairs of (stream number, bytes) until the process has closed its outputs."""
        while data := self._early or await self._connection.receive():
            self._early = b""
            if self.raw:
                yield STDOUT, data
            else:
                for pair in self._frames.feed(data):
                    yield pair

    async def send(self, data: bytes) -> None:
        """Write to the process's stdin."""
        await self._connection.send(data)

    def close_write(self) -> None:
        """Tell the process that its stdin has ended; its output still comes."""
        self._connection.close_write()

    async def close(self) -> None:
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncEngine:
    """An engine at an endpoint; see blocking.Engine. Requests may run side by side."""

    def __init__(self, endpoint: Endpoint, *, version: str = "", headers: Headers = ()) -> None:
        self.endpoint = endpoint
        self._version = version
        self._headers = headers
        self._idle: list[Connection] = []

    async def version(self) -> str:
        """The API version that is spoken; asks the engine the first time."""
        if not self._version:
            answer = await self._sent("HEAD", "/_ping")
            await answer.close()
            self._version = versions.agreed(answer.head.headers.get("api-version"))
        return self._version

    async def read(self, request: Request) -> bytes:
        """The whole answer."""
        return await (await self.open(request)).read()

    async def ask(self, request: Request) -> Any:
        """The JSON value of the answer; None where there is none."""
        body = await self.read(request)
        return loads(body) if body.strip() else None

    async def raw_lines(self, request: Request) -> AsyncGenerator[bytes]:
        """The lines of the answer as they come, empty ones left out."""
        answer = await self.open(request)
        rest = b""
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield line
        if rest.strip():
            yield rest

    async def pieces(self, request: Request) -> AsyncGenerator[bytes]:
        """The bytes of the answer as they come."""
        answer = await self.open(request)
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def output(self, request: Request, *, raw: bool) -> AsyncGenerator[tuple[int, bytes]]:
        """What a container wrote, as (stream number, bytes). raw: it has a terminal."""
        frames = Demultiplexer()
        async with aclosing(self.pieces(request)) as pieces:
            async for piece in pieces:
                for pair in [(STDOUT, piece)] if raw else frames.feed(piece):
                    yield pair

    async def two_way(self, request: Request, *, raw: bool) -> AsyncStream:
        """The connection after the engine has let go of HTTP. raw: the process has a terminal."""
        answer = await self.open(request, hijack=True)
        if answer.head.status not in (101, 200):
            await answer.close()
            raise Unavailable(f"unable to upgrade to tcp, received {answer.head.status}")
        connection, early = answer.take_over()
        return AsyncStream(connection, early, raw=raw)

    async def open(self, request: Request, *, hijack: bool = False) -> Answer:
        """Send a request and read its answer's head. Raises by meaning for a status from 400."""
        target = f"/v{await self.version()}{request.target}"
        headers = (*request.headers, *HIJACK) if hijack else request.headers
        answer = await self._sent(request.method, target, headers, request.body)
        if answer.head.status >= 400:
            raise failure(answer.head, await answer.read(), self.endpoint)
        return answer

    async def _sent(
        self, method: str, target: str, headers: Headers = (), body: Any = None
    ) -> Answer:
        head = framed_head(self.endpoint, method, target, (*self._headers, *headers), body)
        connection = await self._connected()
        exchange, early = Exchange(method), b""
        try:
            await _send(connection, head, body)
            while exchange.head is None:
                early = exchange.feed(await connection.receive())
        except OSError as error:
            await connection.close()
            raise Unavailable(f"error during connect: {os_words(error)}") from error
        except BaseException:
            await connection.close()
            raise
        return Answer(self, connection, exchange, early)

    async def _connected(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.idle:
                return connection
            await connection.close()
        return await dial(self.endpoint)

    def keep(self, connection: Connection) -> None:
        """Take a connection back that can serve another request."""
        self._idle.append(connection)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()


async def _send(connection: Connection, head: bytes, body: Any) -> None:
    if body is None or isinstance(body, (bytes, bytearray)):
        await connection.send(head + (body or b""))
        return
    await connection.send(head)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if isinstance(body, FileBody):
            for piece in body:
                await connection.send(piece)
            return
        if hasattr(body, "__aiter__"):
            async for piece in body:
                await connection.send(chunk(piece))
        else:
            for piece in body:
                await connection.send(chunk(piece))
        await connection.send(LAST_CHUNK)
