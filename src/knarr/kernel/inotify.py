"""Hear of changes in folders: inotify(7)."""

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import Final

from knarr.kernel.libc import checked

MODIFY: Final = 0x00000002
CREATE: Final = 0x00000100
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_READ_BYTES: Final = 65536

_init = checked("inotify_init1", ctypes.c_int)
_add_watch = checked("inotify_add_watch", ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_rm_watch = checked("inotify_rm_watch", ctypes.c_int, ctypes.c_int)


def open_watches() -> int:
    """A descriptor that becomes readable when something happens in one of its folders.

    Non-blocking. A user may have few of them (128 by default), but many folders on each.
    """
    return _init(os.O_CLOEXEC | os.O_NONBLOCK)


def add_watch(watches: int, folder: str, events: int) -> int:
    """The number of the watch on ``folder``; the same folder always has the same one."""
    return _add_watch(watches, os.fsencode(folder), events, about=folder)


def remove_watch(watches: int, watch: int) -> None:
    """Raises OSError for one that went with its folder."""
    _rm_watch(watches, watch)


def changed(watches: int) -> Iterator[int]:
    """The watches on which something happened, as often as it did; -1 when some got lost."""
    data = os.read(watches, _READ_BYTES)
    place = 0
    while place + _EVENT.size <= len(data):
        watch, _, _, length = _EVENT.unpack_from(data, place)
        yield watch
        place += _EVENT.size + length
