"""Bytes that commands send: of a file, or of standard input."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator

from knarr.client.file_body import FileBody
from knarr.errors import InvalidArgument

PIECE = 128 * 1024  # bytes read at once


def file_pieces(path: str) -> Iterable[bytes]:
    """The content of a file; standard input where ``path`` is empty or ``-``.

    Raises InvalidArgument in Docker's words, at once, where it cannot be opened.
    """
    if path in ("", "-"):
        return _content(sys.stdin.fileno(), close=False)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidArgument(f"open {path}: {(error.strerror or '').lower()}") from error
    return _content(descriptor, close=True)


def _content(descriptor: int, *, close: bool) -> Iterable[bytes]:
    there = os.fstat(descriptor)
    if stat.S_ISREG(there.st_mode) and there.st_size:  # files of /proc tell no size
        return FileBody(descriptor if close else os.dup(descriptor))
    return _pieces(descriptor, close=close)


def _pieces(descriptor: int, *, close: bool) -> Iterator[bytes]:
    try:
        while piece := os.read(descriptor, PIECE):
            yield piece
    finally:
        if close:
            os.close(descriptor)
