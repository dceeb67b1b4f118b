"""HTTP/1.1 as a client of the Engine API speaks it: bytes in, bytes out, no socket anywhere.

An ``Exchange`` is one request's answer as its bytes come in; both faces of the client, the blocking
and the asynchronous one, drive the same class. It is our own and not h11's because the import of
h11 costs more than all of ``knarr ps`` may (docs/decisions/cli-start.md); the tests hold it against
h11 as the other side.

Source: RFC 9112; Engine API, "Attach to a container" for the hijack.
"""

from __future__ import annotations

from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HEAD_LIMIT = 256 * 1024  # bytes of status line and headers
LAST_CHUNK = b"0\r\n\r\n"


class Head:
    """Status line and headers of an answer; header names in lower case."""

    __slots__ = ("headers", "reason", "status")

    def __init__(self, status: int, reason: str, headers: dict[str, str]) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers


def request_head(
    method: str, target: str, host: str, headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """The head of a request. Raises InvalidArgument where a value would break out of its line."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise InvalidArgument(f"a line break in the head of a request: {target!r}")
    return (text + "\r\n\r\n").encode("utf-8", "surrogateescape")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; empty data would end the body, so it makes no chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class Exchange:
    """The answer to one request: feed what arrives, get back the body bytes among it."""

    __slots__ = (
        "_buffer", "_left", "_method", "_pieces", "_place", "_step", "ended", "head", "rest",
        "upgraded",
    )  # fmt: skip

    def __init__(self, method: str) -> None:
        self.head: Head | None = None
        self.ended = False  # the answer is whole
        self.upgraded = False  # the connection is no longer HTTP: ``rest`` and what follows is raw
        self.rest = b""  # what came after the end of the answer
        self._method = method
        self._buffer = b""
        self._place = 0  # where in the buffer the unread bytes begin: a chunk costs no copy
        self._left = 0
        self._pieces: list[bytes] = []
        self._step: Callable[[], bool] = self._head

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request."""
        if not self.ended or self.upgraded or self.head is None or self.rest:
            return False
        headers = self.head.headers
        return self._step != self._until_close and "close" not in headers.get("connection", "")

    def feed(self, data: bytes) -> bytes:
        """Take what the peer sent, ``b""`` when it closed. Raises Unavailable on nonsense."""
        if not data:
            self._closed()
            return b""
        self._buffer = self._buffer + data if self._buffer else data
        while not self.ended and self._step():
            pass
        pieces, self._pieces = self._pieces, []
        unread, self._place = self._buffer[self._place :], 0
        if self.ended:
            self.rest, self._buffer = self.rest + unread, b""
        else:
            self._buffer = unread
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _closed(self) -> None:
        if self.ended:
            return
        if self._step != self._until_close:
            raise Unavailable("the engine closed the connection before its answer was whole")
        self.ended = True

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", self._place)
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise Unavailable("the answer's head is too long")
            return False
        head = _parsed_head(self._buffer[self._place : end].decode("utf-8", "surrogateescape"))
        self._place = end + 4
        if head.status < 200 and head.status != 101:
            return True  # 100 Continue and the like: the answer itself follows
        self.head = head
        self._step = self._framing(head)
        return True

    def _framing(self, head: Head) -> Callable[[], bool]:
        """How the body's end is told: RFC 9112, section 6.3."""
        if head.status == 101:
            self.upgraded = self.ended = True
        elif self._method == "HEAD" or head.status in (204, 304):
            self.ended = True
        elif "chunked" in head.headers.get("transfer-encoding", "").lower():
            return self._chunk_size
        elif (length := head.headers.get("content-length")) is not None:
            if not length.isdecimal():
                raise Unavailable(f"the answer's length is no number: {length!r}")
            self._left = int(length)
            self.ended = not self._left
            return self._counted
        else:
            return self._until_close
        return self._counted

    def _counted(self) -> bool:
        if not self._take():
            return False
        self.ended = True
        return True

    def _take(self) -> bool:
        """Move up to ``_left`` bytes out; whether that was the last of them."""
        piece = self._buffer[self._place : self._place + self._left]
        self._place += len(piece)
        self._left -= len(piece)
        if piece:
            self._pieces.append(piece)
        return not self._left

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", self._place)
        if end < 0:
            if len(self._buffer) - self._place > HEAD_LIMIT:
                raise Unavailable("a line of the answer is too long")
            return None
        line = self._buffer[self._place : end]
        self._place = end + 2
        return line

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        digits = line.partition(b";")[0].strip()
        try:
            self._left = int(digits, 16)
        except ValueError:
            raise Unavailable(f"the answer has a broken chunk: {line[:40]!r}") from None
        if digits[:1] in (b"-", b"+"):
            raise Unavailable(f"the answer has a broken chunk: {line[:40]!r}")
        self._step = self._chunk_data if self._left else self._trailers
        return True

    def _chunk_data(self) -> bool:
        if not self._take():
            return False
        self._step = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            raise Unavailable(f"the answer has a broken chunk: {line[:40]!r}")
        self._step = self._chunk_size
        return True

    def _trailers(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self.ended = not line
        return True

    def _until_close(self) -> bool:
        self._pieces.append(self._buffer[self._place :])
        self._place = len(self._buffer)
        return False


def _parsed_head(text: str) -> Head:
    first, *lines = text.split("\r\n")
    protocol, _, rest = first.partition(" ")
    code, _, reason = rest.partition(" ")
    if not protocol.startswith("HTTP/1.") or not code.isdecimal() or len(code) != 3:
        raise Unavailable(f"the answer is not HTTP: {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise Unavailable(f"the answer has a broken header: {line[:80]!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(int(code), reason, headers)
