"""What a request is and what an answer may be, whatever carries them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs


class ByteSource(Protocol):
    """The reading end of a connection."""

    async def read(self, n: int = -1) -> bytes: ...


class ByteSink(Protocol):
    """The writing end of a connection."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def write_eof(self) -> None: ...

    def can_write_eof(self) -> bool: ...


class Body(Protocol):
    """The body of a request: read whole, or chunk by chunk as it arrives."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self, limit_bytes: int = 4 << 20) -> bytes:
        """All of it. Raises InvalidArgument beyond the limit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; header names are lower case, ``path`` is decoded and without the query."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: Body

    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.raw_query, keep_blank_values=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSlice:
    """Bytes of an open file, sent by the kernel; the server closes ``fd`` when it is done."""

    fd: int
    offset: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A body made as it goes, of a length that is known beforehand."""

    count: int
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A status, headers, and a body: known whole, a file's, or made as it goes.

    What is made as it goes is sent piece by piece (in chunks, unless its length is known), and its
    iterator is closed when the client goes away.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileSlice | Sized | AsyncIterator[bytes] = b""


Conversation = Callable[[ByteSource, ByteSink], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hijack:
    """The connection leaves HTTP: after the head, ``talk`` owns both directions."""

    talk: Conversation
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 101


Answer = Response | Hijack
Application = Callable[[Request], Awaitable[Answer]]
