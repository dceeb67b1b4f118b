"""Capabilities of this process: fewer of them.

Source: capabilities(7), capset(2).
"""

import ctypes
import struct
from collections.abc import Iterable
from typing import Final

from knarr.kernel.libc import checked

CHOWN: Final = 0
DAC_OVERRIDE: Final = 1
FOWNER: Final = 3
FSETID: Final = 4
SYS_ADMIN: Final = 21
MKNOD: Final = 27
SETFCAP: Final = 31

_VERSION_3: Final = 0x20080522
_PR_SET_NO_NEW_PRIVS: Final = 38

_capset = checked("capset", ctypes.c_char_p, ctypes.c_char_p)
_prctl = checked("prctl", ctypes.c_int, *[ctypes.c_ulong] * 4)


def keep_only(capabilities: Iterable[int]) -> None:
    """Give up all others, for good: of this thread, and of what it starts."""
    kept = sum(1 << number for number in capabilities)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    header = struct.pack("=Ii", _VERSION_3, 0)
    # effective, permitted, inheritable; the lower 32 first, then the upper ones
    _capset(header, struct.pack("=6I", low, low, 0, high, high, 0))


def no_new_privileges() -> None:
    """No program started from here gains any by its set-id bits or file capabilities."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
