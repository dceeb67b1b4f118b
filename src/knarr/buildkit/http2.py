"""HTTP/2 on a connection that has left HTTP/1: streams both ways, each end waiting for the other.

The protocol itself is h2's, which does no I/O; here are the connection, and streams that are read
piece by piece. What a stream's reader has not taken yet fills its window, so that a sender who is
too fast has to wait; what is sent waits for the far end's windows.

Source: RFC 9113.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from knarr.http.message import ByteSink, ByteSource

Headers = Sequence[tuple[str, str]]

_READ_BYTES: Final = 256 * 1024
_STREAM_WINDOW: Final = 1 << 20
_CONNECTION_WINDOW: Final = 8 << 20
_STREAMS: Final = 128  # that a client may have open at the same time
_HEADERS_BYTES: Final = 64 * 1024
_CANCEL: Final = 8  # RFC 9113, "Error Codes"
_log = logging.getLogger("knarr.buildkit")


class Broken(ConnectionError):
    """The stream or its connection ended before it was over."""


class Stream:
    """One exchange. ``headers`` are what the far end began with, ``trailers`` what it ended with.

    Neither is there before it came: a client's stream has no headers until the first ``read``.
    """

    def __init__(self, connection: "Connection", number: int, headers: Headers = ()) -> None:
        self._connection = connection
        self.number = number
        self.headers: Headers = headers
        self.trailers: Headers = ()
        self.task: asyncio.Task[None] | None = None  # who serves it
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._failure: Exception | None = None
        self._news = asyncio.Event()

    async def read(self) -> bytes:
        """The next piece; empty at the end. Raises Broken."""
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            self._news.clear()
            await self._news.wait()
        data, counted = self._pieces.popleft()
        await self._connection.taken(self, counted)
        return data

    async def send_headers(self, headers: Headers, *, last: bool = False) -> None:
        await self._connection.send_headers(self, headers, last=last)

    async def send(self, data: bytes) -> None:
        """Waits until the far end has room for it. Raises Broken."""
        await self._connection.send(self, data)

    async def end(self) -> None:
        await self._connection.end(self)

    async def reset(self) -> None:
        """Nothing more either way."""
        await self._connection.reset(self)

    @property
    def failure(self) -> Exception | None:
        return self._failure

    # What the connection tells

    def arrived(self, data: bytes, counted: int) -> None:
        self._pieces.append((data, counted))
        self._news.set()

    def dropped(self) -> int:
        """Forget what was not read; how much of the windows it took."""
        counted = sum(each for _, each in self._pieces)
        self._pieces.clear()
        return counted

    def over(self) -> None:
        self._ended = True
        self._news.set()

    def broken(self, error: Exception) -> None:
        if not self._ended:
            self._failure = error
        self._news.set()
        if self.task is not None:
            self.task.cancel()


Serve = Callable[[Stream], Awaitable[None]]


class Connection:
    """One end of a connection. ``run`` carries it until the far end goes."""

    def __init__(
        self, source: ByteSource, sink: ByteSink, *, client: bool, serve: Serve | None = None
    ) -> None:
        """client: this end opens streams; else ``serve`` is called with those of the far end."""
        self._source = source
        self._sink = sink
        self._serve = serve
        self._streams: dict[int, Stream] = {}
        self._room = asyncio.Event()  # set, and replaced, whenever the far end gives more room
        self.closed = False
        config = H2Configuration(client_side=client, header_encoding="utf-8")
        self._h2 = H2Connection(config)
        self._h2.local_settings = Settings(
            client=client,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: _HEADERS_BYTES,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW - 65_535)

    async def run(self) -> None:
        """Until either end closes it; every stream that is still open is broken then."""
        async with asyncio.TaskGroup() as tasks:
            try:
                await self._listen(tasks)
            except ConnectionError:
                pass  # the far end has gone: there is nobody to tell
            finally:
                self._close()  # before the group waits for those who serve its streams

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        await self._flush()
        try:
            while data := await self._source.read(_READ_BYTES):
                for event in self._h2.receive_data(data):
                    self._heard(event, tasks)
                await self._flush()
        except ProtocolError as error:
            _log.info("a client broke HTTP/2: %s", error)
            await self._flush()

    def _close(self) -> None:
        self.closed = True
        gone = Broken("the connection was closed")
        for stream in list(self._streams.values()):
            stream.broken(gone)
        self._streams.clear()
        self._give_room()

    def _heard(self, event: Event, tasks: asyncio.TaskGroup) -> None:
        if isinstance(event, RequestReceived) and self._serve is not None:
            stream = Stream(self, event.stream_id, _pairs(event.headers))
            self._streams[stream.number] = stream
            stream.task = tasks.create_task(self._served(self._serve, stream))
        self._give_room()  # whatever came, it may have been a window's update or a setting
        stream_id: int = getattr(event, "stream_id", None) or 0
        known = self._streams.get(stream_id)
        match event:
            case DataReceived():
                if known is not None:
                    known.arrived(event.data, event.flow_controlled_length)
                else:
                    self._h2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            case ResponseReceived() if known:
                known.headers = _pairs(event.headers)
            case TrailersReceived() if known:
                known.trailers = _pairs(event.headers)
            case StreamEnded() if known:
                known.over()
            case StreamReset() if known:
                self._forget(known)
                known.broken(Broken("the other end gave up"))
            case _:
                pass

    async def _served(self, serve: Serve, stream: Stream) -> None:
        try:
            await serve(stream)
        except ConnectionError:
            pass
        except asyncio.CancelledError:
            if stream.failure is None:
                raise
        finally:
            self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        """What nobody will read any more must not fill the connection's window."""
        self._streams.pop(stream.number, None)
        if (counted := stream.dropped()) and not self.closed:
            self._h2.acknowledge_received_data(counted, stream.number)

    def _give_room(self) -> None:
        self._room.set()
        self._room = asyncio.Event()

    # What streams ask

    async def open(self, headers: Headers, *, last: bool = False) -> Stream:
        """A new stream of this end, which must be the client. Raises Broken."""
        self._refuse_closed()
        stream = Stream(self, self._h2.get_next_available_stream_id())
        self._streams[stream.number] = stream
        await self.send_headers(stream, headers, last=last)
        return stream

    async def send_headers(self, stream: Stream, headers: Headers, *, last: bool) -> None:
        self._refuse(stream)
        with _broken_if_over():
            self._h2.send_headers(stream.number, list(headers), end_stream=last)
        await self._flush()

    async def send(self, stream: Stream, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._refuse(stream)
            room = self._room
            with _broken_if_over():
                window = self._h2.local_flow_control_window(stream.number)
                most = min(window, self._h2.max_outbound_frame_size)
                if most > 0:
                    self._h2.send_data(stream.number, bytes(rest[:most]))
            if most <= 0:
                await room.wait()
                continue
            rest = rest[most:]
            await self._flush()

    async def end(self, stream: Stream) -> None:
        self._refuse(stream)
        with _broken_if_over():
            self._h2.end_stream(stream.number)
        await self._flush()

    async def reset(self, stream: Stream) -> None:
        if stream.number not in self._streams or self.closed:
            return
        self._forget(stream)
        with suppress(ProtocolError):  # where it was over already
            self._h2.reset_stream(stream.number, _CANCEL)
        with suppress(ConnectionError):
            await self._flush()

    async def taken(self, stream: Stream, counted: int) -> None:
        if self.closed or not counted:
            return
        try:
            self._h2.acknowledge_received_data(counted, stream.number)
        except ProtocolError:
            return  # the stream is gone, and its window with it
        await self._flush()

    def _refuse(self, stream: Stream) -> None:
        if stream.failure is not None:
            raise stream.failure
        self._refuse_closed()

    def _refuse_closed(self) -> None:
        if self.closed:
            raise Broken("the connection was closed")

    async def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._sink.write(data)
        await self._sink.drain()


@contextmanager
def _broken_if_over() -> Iterator[None]:
    try:
        yield
    except ProtocolError as error:
        raise Broken("the other end has closed the stream") from error


def _pairs(headers: object) -> Headers:
    """As text; names that come twice stay twice."""
    return [(str(name), str(value)) for name, value in headers]  # type: ignore[attr-defined]
