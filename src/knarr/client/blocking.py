"""The blocking face: sockets that wait, one exchange at a time on each. The command line's.

``Engine`` carries out the requests of call.py and answers with plain JSON values; ``Client``
(knarr.client.sync) decodes them into documents. Nothing here imports asyncio, ssl or subprocess
before an endpoint needs it.
"""

from __future__ import annotations

import _socket

from knarr.client import versions
from knarr.client.file_body import FileBody
from knarr.client.lean import TYPE_CHECKING, loads
from knarr.client.requests import HIJACK, RAW_STREAM, failure, framed_head
from knarr.client.wire import LAST_CHUNK, Exchange, Head, chunk
from knarr.errors import KnarrError, Unavailable
from knarr.http.frames import STDOUT, Demultiplexer, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Protocol, Self

    from knarr.client.call import Request
    from knarr.client.endpoint import Endpoint

    class Socket(Protocol):
        """What a connection needs; a plain socket has it, and ``tls.TlsSocket``."""

        def sendall(self, data: bytes, /) -> None: ...
        def send(self, data: bytes, flags: int, /) -> int: ...
        def recv(self, size: int, /) -> bytes: ...
        def shutdown(self, how: int, /) -> None: ...
        def close(self) -> None: ...
        def fileno(self) -> int: ...

    _Begun = tuple[Socket, Exchange]  # a request that is sent, its answer still to come

RECEIVE = 256 * 1024  # bytes asked for at once


class CannotConnect(Unavailable):
    """Nothing answers at the endpoint."""


def dial(endpoint: Endpoint) -> Socket:
    """A connection to the engine. Raises CannotConnect in Docker's words."""
    try:
        if endpoint.scheme == "unix":
            plain = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
            try:
                plain.connect(endpoint.path)
            except BaseException:
                plain.close()
                raise
            return plain
        from knarr.client import far

        return far.dial(endpoint)
    except OSError as error:
        if isinstance(error, PermissionError) and endpoint.scheme == "unix":
            raise CannotConnect(
                "permission denied while trying to connect to the Docker daemon socket at "
                f"{endpoint.text}: {os_words(error)}"
            ) from error
        raise CannotConnect(
            f"Cannot connect to the Docker daemon at {endpoint.text}. Is the docker daemon running?"
        ) from error


def os_words(error: OSError) -> str:
    """What the kernel says, as Go writes it: in small letters."""
    return (error.strerror or str(error)).lower()


class Answer:
    """One answer under way. Use it as a context manager, or read it to its end."""

    __slots__ = ("_early", "_engine", "_exchange", "_socket", "ready")

    def __init__(self, engine: Engine, socket: Socket, exchange: Exchange, early: bytes) -> None:
        self._engine = engine
        self._socket: Socket | None = socket
        self._exchange = exchange
        self._early = early  # body bytes that have come and nobody has taken
        self.ready = exchange.ended  # whether ``read`` would not wait
        if exchange.ended:
            self._finish()

    @property
    def head(self) -> Head:
        assert self._exchange.head is not None
        return self._exchange.head

    @property
    def ended(self) -> bool:
        return self._exchange.ended and not self._early

    def fileno(self) -> int:
        """To wait on, with poll(2), for ``piece`` not to block; -1 once all has arrived."""
        return self._socket.fileno() if self._socket else -1

    def piece(self) -> bytes:
        """The next body bytes; ``b""`` at the end, or where framing alone came: see ``ended``."""
        if self._early:
            piece, self._early = self._early, b""
            return piece
        if self._socket is None:
            return b""
        return self._received()

    def _received(self) -> bytes:
        assert self._socket is not None
        piece = self._exchange.feed(self._socket.recv(RECEIVE))
        if self._exchange.ended:
            self.ready = True
            self._finish()
        return piece

    def gather(self) -> None:
        """Take in what has come on the descriptor, for ``read``; see ``ready``."""
        if self._socket is not None:
            self._early += self._received()

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes."""
        try:
            while not self.ended:
                if piece := self.piece():
                    yield piece
        finally:
            self.close()

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces())

    def value(self) -> Any:
        """The body as a JSON value; None where there is none."""
        body = self.read()
        return loads(body) if body.strip() else None

    def _finish(self) -> None:
        if self._socket is not None and self._exchange.reusable:
            self._engine.keep(self._socket)
            self._socket = None
        elif not self._exchange.upgraded:
            self.close()

    def take_over(self) -> tuple[Socket, bytes]:
        """The connection itself, once it is no longer HTTP, and what has come on it already."""
        assert self._socket is not None
        socket, self._socket = self._socket, None
        return socket, self._early + self._exchange.rest

    def close(self) -> None:
        """Drop the connection, unless the answer is whole and it can serve again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """A hijacked connection: what the container writes comes in, what is sent is its stdin."""

    __slots__ = ("_early", "_frames", "_socket", "ended", "raw")

    def __init__(self, socket: Socket, early: bytes, *, raw: bool) -> None:
        self._socket = socket
        self._early = early
        self._frames = Demultiplexer()
        self.raw = raw  # a terminal's bytes, all of them output
        self.ended = False

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def waiting(self) -> bool:
        """Whether bytes are here already that poll(2) on the descriptor would not tell of."""
        return bool(self._early)

    def receive(self) -> list[tuple[int, bytes]]:
        """What came, as (stream number, bytes); sets ``ended`` at the end."""
        if self._early:
            data, self._early = self._early, b""
        else:
            data = self._socket.recv(RECEIVE)
        if not data:
            self.ended = True
            return []
        return [(STDOUT, data)] if self.raw else self._frames.feed(data)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while not self.ended:
            yield from self.receive()

    def send(self, data: bytes) -> None:
        """Write to the process's stdin. Raises BrokenPipeError when it is gone."""
        self._socket.sendall(data)

    def send_some(self, data: bytes) -> int:
        """Write as much as goes without waiting; answers with the count of bytes.

        Raises BrokenPipeError or ConnectionResetError when the process reads no more.
        """
        try:
            return self._socket.send(data, _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    def close_write(self) -> None:
        """Tell the process that its stdin has ended; its output still comes."""
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError:  # the other side has gone already
            return

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Engine:
    """An engine at an endpoint. Connections are made when they are needed and kept for the next.

    version: the API version to speak; empty asks the engine once.
    headers: sent with every request.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        version: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        dialer: Any = dial,
    ) -> None:
        self.endpoint = endpoint
        self._version = version
        self._headers = headers
        self._dial = dialer
        self._idle: list[Socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @property
    def version(self) -> str:
        """The API version that is spoken; asks the engine the first time."""
        if not self._version:
            self._version = self._negotiated()
        return self._version

    def speaks(self, version: str) -> bool:
        """Whether the agreed version is ``version`` or a newer one."""
        return versions.number(self.version) >= versions.number(version)

    def _negotiated(self) -> str:
        with self._sent("HEAD", "/_ping") as answer:
            head = answer.head
        if head.status >= 400 and "api-version" not in head.headers:
            with self._sent("GET", "/_ping") as answer:
                head = answer.head
        return versions.agreed(head.headers.get("api-version"))

    # the requests of call.py, carried out

    def ask(self, request: Request) -> Any:
        """The JSON value of the answer; None where there is none."""
        with self.open(request) as answer:
            return answer.value()

    def read(self, request: Request) -> bytes:
        """The answer as it came."""
        with self.open(request) as answer:
            return answer.read()

    def ask_all(self, requests: Sequence[Request]) -> Iterator[Any]:
        """The answers of several requests under way at once, in their order.

        A failure is answered, not raised. Each request has a connection of its own.
        """
        version = self.version
        begun: list[_Begun | KnarrError] = []
        for request in requests:
            try:
                target = f"/v{version}{request.target}"
                begun.append(self._begin(request.method, target, request.headers, request.body))
            except KnarrError as error:
                begun.append(error)
        for each in begun:
            yield self._answer_of(each)

    def _answer_of(self, begun: _Begun | KnarrError) -> Any:
        if isinstance(begun, KnarrError):
            return begun
        try:
            with self._checked(self._headed(*begun)) as answer:
                return answer.value()
        except KnarrError as error:
            return error

    def lines(self, request: Request) -> Iterator[Any]:
        """The JSON values of the answer, one after the other, as they come."""
        return map(loads, self.raw_lines(request))

    def raw_lines(self, request: Request) -> Iterator[bytes]:
        """The lines of the answer as they come, empty ones left out."""
        return _lines(self.open(request))

    def pieces(self, request: Request) -> Iterator[bytes]:
        """The bytes of the answer as they come."""
        return self.open(request).pieces()

    def output(self, request: Request, *, raw: bool | None = None) -> Iterator[tuple[int, bytes]]:
        """What a container wrote, as (stream number, bytes): as much as there is at once.

        raw: whether it has a terminal; None trusts the answer's type, which engines tell
        from API 1.42 on.
        """
        answer = self.open(request)
        if raw is None:
            raw = answer.head.headers.get("content-type", "") == RAW_STREAM
        if raw:
            return ((STDOUT, piece) for piece in answer.pieces())
        frames = Demultiplexer()
        return (pair for piece in answer.pieces() for pair in joined(frames.feed(piece)))

    def two_way(self, request: Request, *, raw: bool) -> Stream:
        """The connection after the engine has let go of HTTP. raw: the process has a terminal."""
        answer = self.open(request, hijack=True)
        if answer.ended and answer.head.status != 101:
            raise Unavailable(f"unable to upgrade to tcp, received {answer.head.status}")
        socket, early = answer.take_over()
        return Stream(socket, early, raw=raw)

    def open(self, request: Request, *, hijack: bool = False) -> Answer:
        """Send a request and read its answer's head. Raises by meaning for a status from 400."""
        target = f"/v{self.version}{request.target}"
        headers = request.headers
        if hijack:
            headers = (*headers, *HIJACK)
        return self._checked(self._sent(request.method, target, headers, request.body))

    def _checked(self, answer: Answer) -> Answer:
        if answer.head.status < 400:
            return answer
        with answer:
            raise failure(answer.head, answer.read(), self.endpoint)

    def _sent(
        self,
        method: str,
        target: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: Any = None,
    ) -> Answer:
        return self._headed(*self._begin(method, target, headers, body))

    def _begin(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: Any
    ) -> _Begun:
        """Send a request. Raises Unavailable where the connection breaks."""
        head = framed_head(self.endpoint, method, target, (*self._headers, *headers), body)
        socket = self._connection()
        try:
            _send(socket, head, body)
        except OSError as error:
            socket.close()
            raise Unavailable(f"error during connect: {os_words(error)}") from error
        except BaseException:
            socket.close()
            raise
        return socket, Exchange(method)

    def _headed(self, socket: Socket, exchange: Exchange) -> Answer:
        """Wait for the head of the answer."""
        early = b""
        try:
            while exchange.head is None:
                early = exchange.feed(socket.recv(RECEIVE))
        except OSError as error:
            socket.close()
            raise Unavailable(f"error during connect: {os_words(error)}") from error
        except BaseException:
            socket.close()
            raise
        return Answer(self, socket, exchange, early)

    def _connection(self) -> Socket:
        while self._idle:
            socket = self._idle.pop()
            if not _readable(socket):
                return socket
            socket.close()  # the engine has closed it meanwhile, or said what nobody asked
        made: Socket = self._dial(self.endpoint)
        return made

    def keep(self, socket: Socket) -> None:
        """Take a connection back that can serve another request."""
        self._idle.append(socket)


def _lines(answer: Answer) -> Iterator[bytes]:
    rest = b""
    for piece in answer.pieces():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


def _send(socket: Socket, head: bytes, body: Any) -> None:
    if body is None:
        socket.sendall(head)
        return
    if isinstance(body, (bytes, bytearray)):
        socket.sendall(head + body)
        return
    try:
        socket.sendall(head)
        if isinstance(body, FileBody):
            body.send_on(socket)
            return
        for piece in body:
            socket.sendall(chunk(piece))
        socket.sendall(LAST_CHUNK)
    except (BrokenPipeError, ConnectionResetError):
        return  # the engine answers before it has read all: its answer says why


def _readable(socket: Socket) -> bool:
    import select

    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return bool(poll.poll(0))
