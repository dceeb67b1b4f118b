"""Two ends of an HTTP/2 connection in one process, without sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from knarr.buildkit import grpc
from knarr.buildkit.http2 import Connection, Serve


class Sink:
    """What one end writes, the other end reads."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._closed = False
        self.written_bytes = 0

    def write(self, data: bytes) -> None:
        self.written_bytes += len(data)
        if not self._closed:
            self._reader.feed_data(data)

    async def drain(self) -> None:
        if self._closed:
            raise ConnectionResetError("closed")
        await asyncio.sleep(0)

    def write_eof(self) -> None:
        self._closed = True
        self._reader.feed_eof()

    def can_write_eof(self) -> bool:
        return True


@asynccontextmanager
async def joined(serve: Serve) -> AsyncIterator[tuple[Connection, Sink]]:
    """The client's end, and what it has written; ``serve`` serves at the other end."""
    there, back = asyncio.StreamReader(), asyncio.StreamReader()
    outward, inward = Sink(there), Sink(back)
    client = Connection(back, outward, client=True)
    server = Connection(there, inward, client=False, serve=serve)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(client.run()), tasks.create_task(server.run())]
        try:
            yield client, outward
        finally:
            outward.write_eof()
            inward.write_eof()
            await asyncio.wait(running)


@asynccontextmanager
async def serving(methods: Mapping[str, grpc.Method]) -> AsyncIterator[Connection]:
    """The same with gRPC methods."""
    async with joined(grpc.service(methods)) as (client, _):
        yield client
