"""What names a file: relative paths count from the directory of the project, or of an include."""

import posixpath
import re
from dataclasses import dataclass
from typing import Any, Final

from knarr.compose.shape.base import Base, Place, Shape

_WINDOWS: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_REMOTE: Final = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")


def joined(directory: str, path: str) -> str:
    """A path below a directory, without ``.`` and ``..`` where they can be resolved."""
    return clean(posixpath.join(directory, path))


def clean(path: str) -> str:
    normal = posixpath.normpath(path)
    return normal[1:] if normal.startswith("//") else normal


def expanded_home(path: str, home: str) -> str:
    return joined(home, path[1:].lstrip("/")) if path.startswith("~") and home else path


def located(path: str, base: Base) -> str:
    """An absolute path stays; ``~`` is the home directory; others count from the base."""
    path = expanded_home(path, base.home)
    return path if _is_absolute(path) else joined(base.directory, path)


def _is_absolute(path: str) -> bool:
    """Of this kind of machine or of Windows: client and engine need not be alike."""
    return posixpath.isabs(path) or _WINDOWS.match(path) is not None


@dataclass(frozen=True, slots=True)
class FilePath(Shape):
    """A file or a directory."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, str)

    def check(self, value: Any, at: Place) -> None:
        if not isinstance(value, str):
            raise at.misfit("must be a string")

    def locate(self, value: Any, base: Base) -> Any:
        return located(value, base) if value else value


@dataclass(frozen=True, slots=True)
class BuildContextPath(FilePath):
    """A directory, or something that the builder fetches: a URL, a repository, another service."""

    def locate(self, value: Any, base: Base) -> Any:
        if "://" in value or value.startswith(("service:", *_REMOTE)):
            return value
        return located(value, base) if value else value


@dataclass(frozen=True, slots=True)
class WatchedPath(FilePath):
    """A directory whose first symbolic link is resolved, since that is where changes are seen."""

    def locate(self, value: Any, base: Base) -> Any:
        return base.real_path(located(value, base)) if value else value
