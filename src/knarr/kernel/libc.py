"""libc functions and bare system calls, as Python functions that raise OSError."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)


def checked(name: str, *argtypes: Any) -> Callable[..., int]:
    """A libc function of int result. Raises OSError with errno, the call's name and ``about``."""
    function = getattr(_libc, name)
    function.argtypes, function.restype = argtypes, ctypes.c_int

    def call(*args: object, about: str | None = None) -> int:
        result: int = function(*args)
        if result == -1:
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}", about)
        return result

    return call


_syncfs = checked("syncfs", ctypes.c_int)


def syncfs(fd: int) -> None:
    """syncfs(2): all of the file system that the descriptor is on. Takes long: off the loop."""
    _syncfs(fd)


_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def syscall(number: int, name: str, *args: Any, about: str | None = None) -> int:
    """A system call by its number, for those that libc has no function for.

    Each argument is an int, a ctypes value or pointer, bytes or None. ``name`` is for the error.
    """
    wide = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result = int(_syscall(ctypes.c_long(number), *wide))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}", about)
    return result
