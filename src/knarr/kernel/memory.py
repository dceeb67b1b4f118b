"""glibc's allocator, told how this process uses memory. With another libc nothing is done.

Layers pass through in pieces of a MiB, made by one thread and freed by another. Left to itself the
allocator gives each back to the kernel, which fills the next with zeros page by page: 40,000 page
faults, a twelfth of a large pull. And it gives each thread an arena of its own to keep.

Source: mallopt(3), malloc_trim(3).
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_KEPT_BYTES: Final = 32 << 20
_LARGE_BYTES: Final = 8 << 20
_ARENAS: Final = 2

_libc = ctypes.CDLL(None)


def recycle_buffers() -> None:
    """Once, before there are threads: few arenas, which keep what was freed for the next buffer."""
    if not hasattr(_libc, "mallopt"):
        return
    for option, value in (
        (_ARENA_MAX, _ARENAS), (_TRIM_THRESHOLD, _KEPT_BYTES), (_MMAP_THRESHOLD, _LARGE_BYTES),
    ):  # fmt: skip
        _libc.mallopt(option, value)


def give_back() -> None:
    """What is kept for buffers goes back to the kernel: after a long transfer. Off the loop."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(ctypes.c_size_t(0))
