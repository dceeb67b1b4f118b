"""Build contexts on this side: a folder, standard input, an address; and how they are sent.

What writes archives is loaded when one is written: an engine on this machine reads folders itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO, Final, NamedTuple

from knarr.errors import InvalidArgument, NotFound
from knarr.patterns import IgnoreRules

PIECE: Final = 256 * 1024  # bytes read at once
_HEAD_BYTES: Final = 512
_END: Final = bytes(20 * 512)
_EXTRAS: Final = ".knarr-build"
_FREE_NAME: Final = ".dockerfile.knarr"
_REMOTE: Final = re.compile(r"(?:https?://|git://|ssh://|git@|github\.com/)")
_ARCHIVE_MAGIC: Final = (b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_FILE_MAX: Final = 4 << 20


class Extras(NamedTuple):
    """What goes with the context: secrets by id, folders by the name of their context."""

    secrets: Mapping[str, bytes] = MappingProxyType({})
    folders: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Extras(folders={self.folders!r})"  # no secret in a log

    def __bool__(self) -> bool:
        return bool(self.secrets or self.folders)

    def members(self) -> Iterator[bytes]:
        if not self:
            return
        from knarr.cli.building.packing import folder_members, text_member

        for name, value in self.secrets.items():
            yield from text_member(f"{_EXTRAS}/secrets/{name}", value, mode=0o600)
        for name, folder in self.folders.items():
            rules = ignore_rules(folder, "")
            yield from folder_members(folder, rules, f"{_EXTRAS}/contexts/{name}/")


class Source(NamedTuple):
    """A context before it is sent.

    folder: where it is; empty for an archive or an address. remote: the address.
    archive: what came on standard input, its first bytes read already.
    dockerfile: its path in the context. text: its text, where it is not in there.
    """

    folder: str = ""
    remote: str = ""
    archive: tuple[bytes, BinaryIO] | None = None
    dockerfile: str = "Dockerfile"
    text: bytes | None = None
    rules_text: bytes | None = None  # of NAME.dockerignore beside such a Dockerfile

    def pieces(self, extras: Extras) -> Iterator[bytes]:
        """All of it, as a tar archive."""
        if self.archive is not None:
            if extras:
                raise InvalidArgument("secrets and named contexts need a folder for the context")
            yield from _rest(*self.archive)
            return
        yield from extras.members()
        yield from self._outside()
        if self.folder:
            from knarr.cli.building.packing import folder_members

            rules = ignore_rules(self.folder, self.dockerfile, self.rules_text)
            kept = (self.dockerfile, ".dockerignore", f"{self.dockerfile}.dockerignore")
            yield from folder_members(self.folder, rules, "", kept)
        yield _END

    def beside(self, extras: Extras) -> Iterator[bytes]:
        """What an engine that gets the rest by itself does not have yet."""
        yield from extras.members()
        yield from self._outside()
        yield _END

    def _outside(self) -> Iterator[bytes]:
        if self.text is not None:
            from knarr.cli.building.packing import text_member

            yield from text_member(self.dockerfile, self.text)
            if self.rules_text is not None:
                yield from text_member(f"{self.dockerfile}.dockerignore", self.rules_text)


def find_context(place: str, dockerfile: str, stdin: BinaryIO) -> Source:
    """What ``PATH | URL | -`` and ``--file`` mean. Raises in Docker's words."""
    if place == "-":
        if dockerfile == "-":
            raise InvalidArgument("invalid argument: can't use stdin for both build context and "
                                  "dockerfile")  # fmt: skip
        return _from_stdin(dockerfile, stdin)
    if _REMOTE.match(place):
        address = f"https://{place}" if place.startswith("github.com/") else place
        if dockerfile == "-":
            return Source(remote=address, dockerfile=_FREE_NAME, text=stdin.read(_FILE_MAX))
        return Source(remote=address, dockerfile=dockerfile or "Dockerfile")
    if not os.path.isdir(place):
        raise NotFound(f'unable to prepare context: path "{place}" not found')
    folder = os.path.realpath(place)
    if dockerfile == "-":
        return Source(folder=folder, dockerfile=_free_name(folder), text=stdin.read(_FILE_MAX))
    return _in_folder(folder, dockerfile)


def _from_stdin(dockerfile: str, stdin: BinaryIO) -> Source:
    """An archive, or a Dockerfile without a context."""
    head = stdin.read(_HEAD_BYTES)
    if not head:
        raise InvalidArgument("failed to read from stdin: it is empty")
    if head.startswith(_ARCHIVE_MAGIC) or head[257:262] == b"ustar":
        return Source(archive=(head, stdin), dockerfile=dockerfile or "Dockerfile")
    return Source(text=head + stdin.read(_FILE_MAX))


def _in_folder(folder: str, given: str) -> Source:
    """A Dockerfile inside of the folder keeps its path; one from elsewhere is sent along."""
    dockerfile = given or _default_name(folder)
    path = os.path.join(folder, dockerfile)
    if given and not os.path.exists(path):
        path = os.path.abspath(dockerfile)
    real = os.path.realpath(path)
    relative = os.path.relpath(real, folder)
    if not os.path.isfile(real):
        raise NotFound(
            f"unable to prepare context: unable to evaluate symlinks in Dockerfile path: "
            f"lstat {path}: no such file or directory"
        )
    if not relative.startswith(os.pardir):
        return Source(folder=folder, dockerfile=relative.replace(os.sep, "/"))
    with open(real, "rb") as file:
        text = file.read(_FILE_MAX)
    rules = None
    if os.path.exists(f"{real}.dockerignore"):
        with open(f"{real}.dockerignore", "rb") as file:
            rules = file.read(_FILE_MAX)
    return Source(folder=folder, dockerfile=_free_name(folder), text=text, rules_text=rules)


def _default_name(folder: str) -> str:
    names = ("Dockerfile", "dockerfile")
    return next((name for name in names if os.path.exists(os.path.join(folder, name))), names[0])


def _free_name(folder: str) -> str:
    """A name for a Dockerfile from elsewhere; the same in each build, so that it can be cached."""
    name = _FREE_NAME
    while os.path.lexists(os.path.join(folder, name)):
        name += "_"
    return name


def ignore_rules(folder: str, dockerfile: str, text: bytes | None = None) -> IgnoreRules | None:
    """Of the Dockerfile, else of the folder. text: what is beside a Dockerfile from elsewhere."""
    names = ([f"{dockerfile}.dockerignore"] if dockerfile else []) + [".dockerignore"]
    for name in names:
        if text is not None:
            break
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                text = file.read(_FILE_MAX)
    return None if text is None else IgnoreRules.parse(text.decode("utf-8-sig", "replace"))


def _rest(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield head
    while piece := stream.read(PIECE):
        yield piece


def gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces put together: each is a system call and a chunk on the wire."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
