"""Blocks of a log as the bytes that the Engine API sends: frames, timestamps, details."""

import time
from typing import Final

from knarr.keeper.attach import HEADER
from knarr.runtime.log import Block

_SECOND_NS: Final = 1_000_000_000


class LogText:
    """Encodes block after block.

    framed: each line a frame of its own, as clients expect that take a frame for a line; else the
        lines as they are, which is for a terminal's log.
    timestamps: each line begins with its time, RFC 3339 with nine digits.
    prefix: and then with this: the container's details, or nothing.
    """

    def __init__(self, *, framed: bool, timestamps: bool = False, prefix: bytes = b"") -> None:
        self._framed, self._timestamps, self._prefix = framed, timestamps, prefix
        self._headers: dict[tuple[int, int], bytes] = {}

    def encode(self, block: Block) -> bytes:
        stamp = timestamp(block.time_ns) + b" " if self._timestamps else b""
        before = stamp + self._prefix
        if not self._framed:
            return _with_prefix(block.data, before) if before else block.data
        lines = block.data.splitlines(keepends=True) if _plain(block.data) else _lines(block.data)
        if before:
            lines = [before + line for line in lines]
        return b"".join([part for line in lines for part in (self._header(block, line), line)])

    def _header(self, block: Block, line: bytes) -> bytes:
        key = (block.stream, len(line))
        if (header := self._headers.get(key)) is None:
            header = HEADER.pack(*key)
            if len(self._headers) < 4096:
                self._headers[key] = header
        return header


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
