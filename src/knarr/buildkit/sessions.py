"""Sessions: connections on which the client serves and the engine calls.

A session belongs to its connection and ends with it. A build names the one that it wants by an
identifier that its client made up and that nobody else knows.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

from knarr.buildkit import grpc
from knarr.buildkit.grpc import Call
from knarr.buildkit.http2 import Connection
from knarr.buildkit.messages import Bytes, SecretRequest
from knarr.buildkit.wire import Message
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.http.message import ByteSink, ByteSource

Got = TypeVar("Got", bound=Message)

_WAIT_S: Final = 10.0  # for a session whose build came first
_ID_MAX: Final = 256


class Session:
    """What one client offers."""

    def __init__(self, connection: Connection, methods: frozenset[str]) -> None:
        self._connection = connection
        self._methods = methods

    def has(self, method: str) -> bool:
        return method in self._methods

    async def ask(self, method: str, message: Message, kind: type[Got]) -> Got:
        """One message there, one back. Raises grpc.Status, Broken."""
        return await grpc.asked(self._connection, method, message, kind)

    def call(
        self, method: str, metadata: Iterable[tuple[str, str]] = ()
    ) -> AbstractAsyncContextManager[Call]:
        return grpc.calling(self._connection, method, metadata)

    async def secret(self, identifier: str) -> bytes | None:
        """None where the client has none by that name."""
        method = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
        if not self.has(method):
            return None
        try:
            return (await self.ask(method, SecretRequest(id=identifier), Bytes)).data
        except grpc.Status as error:
            if error.code == grpc.NOT_FOUND:
                return None
            raise


class Sessions:
    """Those that are open."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._news = asyncio.Condition()

    async def carry(
        self, identifier: str, methods: Iterable[str], source: ByteSource, sink: ByteSink
    ) -> None:
        """One session, for as long as its connection is there."""
        connection = Connection(source, sink, client=True)
        self.refuse(identifier)
        session = Session(connection, frozenset(methods))
        self._open[identifier] = session
        try:
            async with self._news:
                self._news.notify_all()
            await connection.run()
        finally:
            if self._open.get(identifier) is session:
                del self._open[identifier]

    def refuse(self, identifier: str) -> None:
        """Raises InvalidArgument, Conflict for what can be no new session's name."""
        if not identifier or len(identifier) > _ID_MAX:
            raise InvalidArgument("a session needs an X-Docker-Expose-Session-Uuid")
        if identifier in self._open:
            raise Conflict("a session by that identifier is open already")

    async def find(self, identifier: str) -> Session:
        """Also one that is just about to come. Raises NotFound."""
        try:
            async with asyncio.timeout(_WAIT_S), self._news:
                await self._news.wait_for(lambda: identifier in self._open)
        except TimeoutError:
            raise NotFound("no active session for this build: it was closed") from None
        return self._open[identifier]
