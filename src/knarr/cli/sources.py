"""Bytes that commands send: of a file, or of standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from knarr.errors import InvalidArgument

PIECE = 128 * 1024  # bytes read at once


def file_pieces(path: str) -> Iterator[bytes]:
    """The content of a file; standard input where ``path`` is empty or ``-``.

    Raises InvalidArgument in Docker's words, at once, where it cannot be opened.
    """
    if path in ("", "-"):
        return _pieces(sys.stdin.fileno(), close=False)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidArgument(f"open {path}: {(error.strerror or '').lower()}") from error
    return _pieces(descriptor, close=True)


def _pieces(descriptor: int, *, close: bool) -> Iterator[bytes]:
    try:
        while piece := os.read(descriptor, PIECE):
            yield piece
    finally:
        if close:
            os.close(descriptor)
