"""Hear of changes in a folder: inotify."""

import ctypes
import os
from typing import Final

from knarr.kernel.libc import checked

MODIFY: Final = 0x00000002
CREATE: Final = 0x00000100
_CLOEXEC: Final = os.O_CLOEXEC
_NONBLOCK: Final = os.O_NONBLOCK

_init = checked("inotify_init1", ctypes.c_int)
_add_watch = checked("inotify_add_watch", ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


def watch(folder: str, events: int) -> int:
    """A descriptor that becomes readable when one of ``events`` happens in ``folder``.

    Non-blocking; what is read from it says no more than that something did. inotify(7).
    """
    descriptor = _init(_CLOEXEC | _NONBLOCK)
    try:
        _add_watch(descriptor, os.fsencode(folder), events, about=folder)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
