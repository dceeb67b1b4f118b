"""Bytes into a file, all of them; apart, because processes of few imports do it too."""

import errno
import os
from typing import Final

from knarr.errors import Unavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_all(fd: int, chunk: bytes | memoryview) -> None:
    """write(2) until all is written. A full disk or quota raises Unavailable in a sentence."""
    view = memoryview(chunk)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as error:
        if error.errno in _FULL:
            raise Unavailable(f"no space left on device: {error.strerror}") from error
        raise
