"""Two-way streams over a hijacked connection: a container's terminal or pipes on the wire.

Source: Engine API, ContainerAttach, "Hijacking" and "Stream format".
"""

import asyncio
import functools
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from knarr.api.versions import ApiVersion
from knarr.errors import InvalidArgument, KnarrError, status_of
from knarr.http.message import (
    Answer,
    ByteSink,
    ByteSource,
    Conversation,
    Hijack,
    Request,
    Response,
)

RAW: Final = "application/vnd.docker.raw-stream"
MULTIPLEXED: Final = "application/vnd.docker.multiplexed-stream"
DEFAULT_DETACH_KEYS: Final = "ctrl-p,ctrl-q"
_PIECE: Final = 64 * 1024
_SPECIAL: Final = "@abcdefghijklmnopqrstuvwxyz[\\]^_"
_MULTIPLEXED_SINCE: Final[ApiVersion] = (1, 42)


def stream_headers(*, terminal: bool, version: ApiVersion) -> Mapping[str, str]:
    """What kind of stream follows: raw with a terminal, frames by stream without."""
    framed = not terminal and version >= _MULTIPLEXED_SINCE
    return {"Content-Type": MULTIPLEXED if framed else RAW}


def hijack(request: Request, talk: Conversation, headers: Mapping[str, str]) -> Hijack:
    """101 for clients that ask to upgrade; older ones get 200 and the same bytes."""
    if "upgrade" in request.headers:
        return Hijack(
            talk=talk, headers={**headers, "Connection": "Upgrade", "Upgrade": "tcp"}, status=101
        )
    return Hijack(talk=talk, headers={"Content-Type": RAW}, status=200)


def refused_in_text(endpoint: Callable[..., Awaitable[Hijack]]) -> Callable[..., Awaitable[Answer]]:
    """An endpoint whose refusals are a line of text, by the name of a raw stream, as Docker's are.

    Docker has left HTTP by then, and writes the answer by hand.
    """

    @functools.wraps(endpoint)
    async def answered(*arguments: Any, **named: Any) -> Answer:
        try:
            return await endpoint(*arguments, **named)
        except KnarrError as error:
            text = f"{error}\r\n".encode()
            return Response(status=status_of(error), headers={"Content-Type": RAW}, body=text)

    return answered


def detach_sequence(keys: str) -> bytes:
    """``ctrl-p,ctrl-q`` as the bytes that a terminal sends. Raises InvalidArgument."""
    typed = bytearray()
    for key in (keys or DEFAULT_DETACH_KEYS).split(","):
        if len(key) == 1:
            typed += key.encode()
        elif (match := re.fullmatch(r"ctrl-(.)", key)) and match[1].lower() in _SPECIAL:
            typed.append(_SPECIAL.index(match[1].lower()))
        else:
            raise InvalidArgument(f"Invalid detach keys ({keys}): unknown character: '{key}'")
    return bytes(typed)


class DetachScanner:
    """Lets input through until the detach keys are typed, even one at a time."""

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What may pass on, and whether the person has detached."""
        passed = bytearray()
        for byte in data:
            if byte == self._sequence[self._matched]:
                self._matched += 1
                if self._matched == len(self._sequence):
                    return bytes(passed), True
                continue
            passed += self._sequence[: self._matched]
            self._matched = 0
            if byte == self._sequence[0]:
                self._matched = 1
            else:
                passed.append(byte)
        return bytes(passed), False


async def converse(
    source: ByteSource,
    sink: ByteSink,
    channel: socket.socket,
    *,
    detach_keys: Callable[[], bytes] | None = None,
    on_detach: Callable[[], None] = lambda: None,
) -> bool:
    """Carry bytes both ways between a client and the keeper until the container's side ends.

    Whether the container's side did end; it goes on when the person detached or went away.
    detach_keys: looked for in what is typed, from the first byte on; None where there is no
    terminal.
    """
    reader, writer = await asyncio.open_connection(sock=channel)
    inward = asyncio.ensure_future(_inward(source, writer, detach_keys))
    outward = asyncio.ensure_future(_outward(reader, sink))
    try:
        await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
        if inward.done() and not inward.cancelled() and inward.exception() is None:
            if inward.result():
                on_detach()
                return False
            await outward
        elif not outward.done():
            return False  # the client broke off
        outward.result()
    except ConnectionError:
        return False  # nobody left to talk to
    finally:
        for task in (inward, outward):
            task.cancel()
        await asyncio.gather(inward, outward, return_exceptions=True)
        writer.close()
    return True


async def _inward(
    source: ByteSource, writer: asyncio.StreamWriter, detach_keys: Callable[[], bytes] | None
) -> bool:
    """Client to container; True when the person detached, False at the end of the input."""
    scanner: DetachScanner | None = None
    while data := await source.read(_PIECE):
        if scanner is None and detach_keys is not None:
            scanner = DetachScanner(detach_keys())
        passed, detached = scanner.feed(data) if scanner else (data, False)
        try:
            writer.write(passed)
            await writer.drain()
        except ConnectionError:
            return False  # the container reads no more; what it writes still comes
        if detached:
            return True
    if writer.can_write_eof():
        writer.write_eof()
    return False


async def _outward(reader: asyncio.StreamReader, sink: ByteSink) -> None:
    while data := await reader.read(_PIECE):
        sink.write(data)
        await sink.drain()
