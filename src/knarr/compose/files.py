"""Where the loader reads from: a disk, or in tests a dictionary."""

import os
import posixpath
import sys
from collections.abc import Mapping
from typing import Final, Protocol

from knarr.errors import NotFound

STDIN: Final = "-"


class Files(Protocol):
    """What the loader needs to know of a file system. Paths are absolute."""

    def read(self, path: str) -> str:
        """The text of a file, ``-`` for standard input. Raises NotFound."""
        ...

    def is_file(self, path: str) -> bool: ...

    def is_directory(self, path: str) -> bool: ...

    def real_path(self, path: str) -> str:
        """The path with the first symbolic link in it resolved."""
        ...


class Disk:
    """The machine's own file system."""

    def read(self, path: str) -> str:
        if path == STDIN:
            return sys.stdin.read()
        try:
            with open(path, encoding="utf-8-sig") as file:
                return file.read()
        except FileNotFoundError as error:
            raise NotFound(f"open {path}: no such file or directory") from error
        except OSError as error:
            raise NotFound(f"open {path}: {(error.strerror or str(error)).lower()}") from error

    def is_file(self, path: str) -> bool:
        return os.path.exists(path) and not os.path.isdir(path)

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def real_path(self, path: str) -> str:
        return os.path.realpath(path) if _has_link(path) else path


def _has_link(path: str) -> bool:
    while path not in ("/", ""):
        if os.path.islink(path):
            return True
        path = posixpath.dirname(path)
    return False


class Texts:
    """Files that exist in memory only."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def read(self, path: str) -> str:
        if path not in self._texts:
            raise NotFound(f"open {path}: no such file or directory")
        return self._texts[path]

    def is_file(self, path: str) -> bool:
        return path in self._texts

    def is_directory(self, path: str) -> bool:
        return any(name.startswith(path.rstrip("/") + "/") for name in self._texts)

    def real_path(self, path: str) -> str:
        return path
