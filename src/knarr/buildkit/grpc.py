"""gRPC over HTTP/2, both as the server and as the client: messages, statuses, calls.

Source: grpc.io, "gRPC over HTTP2".
"""

import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar
from urllib.parse import quote, unquote

from knarr.buildkit.http2 import Connection, Headers, Stream
from knarr.buildkit.messages import Detail, RpcStatus
from knarr.buildkit.wire import Message
from knarr.errors import (
    Conflict,
    Forbidden,
    InvalidArgument,
    KnarrError,
    NotFound,
    Unauthorized,
    Unavailable,
    Unsupported,
)

OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13

_CODES: Final[dict[type[KnarrError], int]] = {
    InvalidArgument: INVALID_ARGUMENT, NotFound: NOT_FOUND, Conflict: 9, Forbidden: 7,
    Unauthorized: 16, Unavailable: 14, Unsupported: UNIMPLEMENTED, KnarrError: UNKNOWN,
}  # fmt: skip
_HEAD_BYTES: Final = 5
_MESSAGE_MAX: Final = 16 << 20
_SENTENCE_MAX: Final = 8192  # clients bound the headers that they take
_DETAILS_MAX: Final = 32 * 1024
_TYPE: Final = ("content-type", "application/grpc")
_PLAIN: Final = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"  # of a status' sentence, besides words
_log = logging.getLogger("knarr.buildkit")

Sent = TypeVar("Sent", bound=Message)
Got = TypeVar("Got", bound=Message)


class Status(KnarrError):
    """How a call ended, if not well. ``code`` is gRPC's."""

    def __init__(self, code: int, message: str, details: Sequence[Detail] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def code_of(error: Exception) -> int:
    if isinstance(error, Status):
        return error.code
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), INTERNAL)


class Call:
    """Messages both ways on one stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._waiting = bytearray()

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the far end sent before its first message; of a name sent twice, the last."""
        return dict(self.stream.headers)

    async def receive(self, kind: type[Got]) -> Got | None:
        """The next message; None at the end. Raises Status, Broken."""
        if not await self._filled(_HEAD_BYTES):
            return None
        if self._waiting[0]:
            raise Status(UNIMPLEMENTED, "compressed messages are not known here")
        size = int.from_bytes(self._waiting[1:_HEAD_BYTES], "big")
        if size > _MESSAGE_MAX:
            raise Status(8, f"a message of {size} bytes is larger than {_MESSAGE_MAX}")
        if not await self._filled(_HEAD_BYTES + size):
            raise Status(INTERNAL, "the stream ended within a message")
        raw = bytes(self._waiting[_HEAD_BYTES : _HEAD_BYTES + size])
        del self._waiting[: _HEAD_BYTES + size]
        return kind.decode(raw)

    async def _filled(self, count: int) -> bool:
        while len(self._waiting) < count:
            piece = await self.stream.read()
            if not piece:
                return False
            self._waiting += piece
        return True

    async def send(self, message: Message) -> None:
        raw = message.encode()
        await self.stream.send(b"\0" + len(raw).to_bytes(4, "big") + raw)


Method = Callable[[Call], Awaitable[None]]


def unary(kind: type[Got], answer: Callable[[Got, Call], Awaitable[Message]]) -> Method:
    """A method of one message each way."""

    async def method(call: Call) -> None:
        asked = await call.receive(kind)
        if asked is None:
            raise Status(INTERNAL, "the request has no message")
        await call.send(await answer(asked, call))

    return method


def service(methods: Mapping[str, Method]) -> Callable[[Stream], Awaitable[None]]:
    """Serves each stream with the method that its path names."""

    async def serve(stream: Stream) -> None:
        path = dict(stream.headers).get(":path", "")
        status = RpcStatus()
        await stream.send_headers([(":status", "200"), _TYPE])
        try:
            if (method := methods.get(path)) is None:
                raise Status(UNIMPLEMENTED, f"knarr has no {path.strip('/')}")
            await method(Call(stream))
        except ConnectionError:
            raise
        except KnarrError as error:
            status = RpcStatus(code=code_of(error), message=str(error))
            status.details = list(error.details) if isinstance(error, Status) else []
        except Exception as error:
            _log.exception("%s", path)
            sentence = f"internal error: {type(error).__name__}: {error}"
            status = RpcStatus(code=INTERNAL, message=sentence)
        await stream.send_headers(_trailers(status), last=True)

    return serve


def _trailers(status: RpcStatus) -> Headers:
    pairs = [("grpc-status", str(status.code))]
    if len(status.message) > _SENTENCE_MAX:
        status.message = f"{status.message[:_SENTENCE_MAX]}…"
    if status.message:
        pairs.append(("grpc-message", quote(status.message, safe=_PLAIN)))
    if status.details and len(whole := status.encode()) < _DETAILS_MAX:
        pairs.append(("grpc-status-details-bin", base64.b64encode(whole).decode().rstrip("=")))
    return pairs


@asynccontextmanager
async def calling(
    connection: Connection, method: str, metadata: Iterable[tuple[str, str]] = ()
) -> AsyncIterator[Call]:
    """A call of the far end's ``/service/method``; given up when the block ends early."""
    headers = [
        (":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "localhost"),
        _TYPE, ("te", "trailers"), ("user-agent", "knarr"), *metadata,
    ]  # fmt: skip
    stream = await connection.open(headers)
    try:
        yield Call(stream)
    finally:
        await stream.reset()


async def finished(call: Call) -> None:
    """Wait for the end of a call, whatever still comes. Raises Status where it went badly."""
    while await call.stream.read():
        pass
    ended = dict(call.stream.trailers) or dict(call.stream.headers)
    code = int(ended.get("grpc-status", str(UNKNOWN)))
    if code != OK:
        raise Status(code, unquote(ended.get("grpc-message", "")) or f"gRPC status {code}")


async def asked(
    connection: Connection,
    method: str,
    message: Message,
    kind: type[Got],
    metadata: Iterable[tuple[str, str]] = (),
) -> Got:
    """One message there, one back. Raises Status, Broken."""
    async with calling(connection, method, metadata) as call:
        await call.send(message)
        await call.stream.end()
        answer = await call.receive(kind)
        await finished(call)
    if answer is None:
        raise Status(INTERNAL, f"{method} answered nothing")
    return answer
