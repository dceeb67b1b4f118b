"""Where a copy lands and under which name: pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from knarr.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One side of a copy.

    container: empty for a path here.  path: as it was written.
    """

    container: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Place:
        """``CONTAINER:PATH``; a path here that has a colon is written ``./a:b``."""
        container, colon, path = text.partition(":")
        if text.startswith("/") or not colon or container.startswith("."):
            return cls(container="", path=text)
        return cls(container=container, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is at the destination."""

    path: str
    exists: bool = False
    is_folder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The folder to unpack in, and the name that replaces the source's (None keeps it)."""

    folder: str
    name: str | None = None


def asserts_folder(path: str) -> bool:
    """Whether the spelling says that this is a folder: ``dir/``, ``dir/.``."""
    return path.endswith("/") or posixpath.basename(path) == "."


def wants_content(path: str) -> bool:
    """Whether what is inside a folder is meant, and not the folder: ``dir/.``."""
    return posixpath.basename(path) == "."


def landing(source_is_folder: bool, target: Target) -> Landing:
    """Raises InvalidArgument in Docker's words where source and destination do not fit."""
    if target.exists and target.is_folder:
        return Landing(folder=target.path)
    if target.exists and source_is_folder:
        raise InvalidArgument("cannot copy directory")
    if not target.exists and not source_is_folder and asserts_folder(target.path):
        raise InvalidArgument("no such directory")
    path = target.path.rstrip("/")
    path = posixpath.dirname(path) if wants_content(path) else path
    return Landing(folder=posixpath.dirname(path) or ".", name=posixpath.basename(path))


def renamed(name: str, landing_name: str | None, *, content: bool) -> str:
    """An entry's name where it lands: its first part replaced, or put before it.

    content: the archive is of what is inside a folder, its entries are ``./a``, ``./b``.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if landing_name is None:
        return "/".join(parts) or "."
    return "/".join([landing_name, *(parts if content else parts[1:])])
