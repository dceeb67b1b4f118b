"""openat2(2): open a path beneath a directory, whatever symbolic links the path holds."""

import os
import struct
from typing import Final

from knarr.kernel.libc import syscall

_OPENAT2: Final = 437  # the same on every architecture

RESOLVE_NO_XDEV: Final = 0x01
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08  # a path that would leave fails with EXDEV
RESOLVE_IN_ROOT: Final = 0x10  # the directory is the path's root, as after chroot

_HOW: Final = struct.Struct("=QQQ")


def openat2(
    directory: int, path: bytes | str, flags: int, *, resolve: int = RESOLVE_IN_ROOT, mode: int = 0
) -> int:
    """A new descriptor of ``path``, resolved beneath the open ``directory``.

    ``resolve`` restricts the whole way there; magic links (/proc/*/fd) are never followed.
    Raises OSError; ELOOP or EXDEV where the path went a way that is not allowed.
    """
    how = _HOW.pack(flags | os.O_CLOEXEC, mode, resolve | RESOLVE_NO_MAGICLINKS)
    return syscall(
        _OPENAT2, "openat2", directory, os.fsencode(path), how, _HOW.size, about=os.fsdecode(path)
    )


def open_directory(directory: int, path: bytes | str, *, resolve: int = RESOLVE_IN_ROOT) -> int:
    """A descriptor of a directory beneath ``directory``; the empty path is itself."""
    return openat2(directory, path or b".", os.O_RDONLY | os.O_DIRECTORY, resolve=resolve)
