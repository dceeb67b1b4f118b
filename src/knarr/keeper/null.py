"""A null device of the keeper's own.

OCI runtimes make a process's user the owner of its streams: the host's own /dev/null would belong
to the last user that a container ran as.
"""

import os
import stat
from typing import Final

from knarr.kernel.mount import Filesystem

_NUMBER: Final = os.makedev(1, 3)


class Null:
    """Made when first asked for, in a file system that nobody sees: its name is dev/null there."""

    def __init__(self) -> None:
        self._folder: int | None = None

    def open(self) -> int:
        """To read and to write; the caller's own. The host's where no device can be made."""
        if self._folder is None:
            try:
                self._folder = _made()
            except OSError:
                return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        return os.open("null", os.O_RDWR | os.O_CLOEXEC, dir_fd=self._folder)


def _made() -> int:
    with Filesystem("tmpfs") as memory:
        root = memory.mount()
    try:
        os.mkdir("dev", 0o755, dir_fd=root)
        folder = os.open("dev", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    finally:
        os.close(root)
    try:
        os.mknod("null", stat.S_IFCHR | 0o666, _NUMBER, dir_fd=folder)
        os.chmod("null", 0o666, dir_fd=folder)
    except OSError:
        os.close(folder)
        raise
    return folder
