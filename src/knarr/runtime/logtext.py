"""Blocks of a log as the bytes that the Engine API sends: frames, timestamps, details."""

import time
from collections.abc import Iterable
from itertools import chain
from typing import Final

from knarr.keeper.attach import HEADER
from knarr.runtime.log import Block

_SECOND_NS: Final = 1_000_000_000
_HEADERS_KEPT: Final = 4096


class _Headers(dict[int, bytes]):
    """The headers of one stream's frames, by length: made once, since lines are many."""

    def __init__(self, stream: int) -> None:
        super().__init__()
        self._stream = stream

    def __missing__(self, length: int) -> bytes:
        header = HEADER.pack(self._stream, length)
        if len(self) < _HEADERS_KEPT:
            self[length] = header
        return header


class LogText:
    """Encodes block after block.

    framed: each line a frame of its own, as clients expect that take a frame for a line; else the
        lines as they are, which is for a terminal's log.
    together: all lines of a block in one frame, for clients that said that they do not mind.
    timestamps: each line begins with its time, RFC 3339 with nine digits.
    prefix: and then with this: the container's details, or nothing.
    """

    def __init__(
        self,
        *,
        framed: bool,
        together: bool = False,
        timestamps: bool = False,
        prefix: bytes = b"",
    ) -> None:
        self._framed, self._together = framed, together
        self._timestamps, self._prefix = timestamps, prefix
        self._headers: dict[int, _Headers] = {}

    def encode(self, blocks: Iterable[Block]) -> bytes:
        return b"".join(chain.from_iterable(map(self._parts, blocks)))

    def _parts(self, block: Block) -> Iterable[bytes]:
        stamp = timestamp(block.time_ns) + b" " if self._timestamps else b""
        before = stamp + self._prefix
        if not self._framed or self._together:
            data = _with_prefix(block.data, before) if before else block.data
            return (HEADER.pack(block.stream, len(data)), data) if self._framed else (data,)
        lines = block.data.splitlines(keepends=True) if _plain(block.data) else _lines(block.data)
        if before:
            lines = [before + line for line in lines]
        if (headers := self._headers.get(block.stream)) is None:
            headers = self._headers[block.stream] = _Headers(block.stream)
        # Nothing but C for each line: of short ones there are 20 million in 200 MB.
        frames = zip(map(headers.__getitem__, map(len, lines)), lines, strict=True)
        return chain.from_iterable(frames)


def timestamp(time_ns: int) -> bytes:
    """``2026-01-02T03:04:05.000000006Z``"""
    seconds, rest = divmod(time_ns, _SECOND_NS)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{rest:09}Z".encode()


def _plain(data: bytes) -> bool:
    """Whether newlines are all that splitlines would split at: for bytes, that is no ``\\r``."""
    return b"\r" not in data


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _with_prefix(data: bytes, prefix: bytes) -> bytes:
    ended = data.endswith(b"\n")
    body = data[:-1] if ended else data
    return prefix + body.replace(b"\n", b"\n" + prefix) + (b"\n" if ended else b"")
