"""Build contexts on this side: a folder, standard input, an address; and how they are sent."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from knarr.errors import InvalidArgument, KnarrError, NotFound
from knarr.patterns import IgnoreRules

PIECE: Final = 256 * 1024  # bytes read at once
_BLOCK: Final = 512
_END: Final = b"\0" * (20 * _BLOCK)
_EXTRAS: Final = ".knarr-build"
_REMOTE: Final = re.compile(r"(?:https?://|git://|ssh://|git@|github\.com/)")
_ARCHIVE_MAGIC: Final = (b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_FILE_MAX: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What goes with the context: secrets by id, folders by the name of their context."""

    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    folders: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.secrets or self.folders)

    def members(self) -> Iterator[bytes]:
        for name, value in self.secrets.items():
            yield from text_member(f"{_EXTRAS}/secrets/{name}", value, mode=0o600)
        for name, folder in self.folders.items():
            rules = _ignore_rules(folder, "")
            yield from _folder_members(folder, rules, f"{_EXTRAS}/contexts/{name}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
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
            rules = _ignore_rules(self.folder, self.dockerfile, self.rules_text)
            kept = (self.dockerfile, ".dockerignore", f"{self.dockerfile}.dockerignore")
            yield from _folder_members(self.folder, rules, "", kept)
        yield _END

    def beside(self, extras: Extras) -> Iterator[bytes]:
        """What an engine that sees the folder by itself does not have yet."""
        yield from extras.members()
        yield from self._outside()
        yield _END

    def _outside(self) -> Iterator[bytes]:
        if self.text is not None:
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
        return Source(remote=address, dockerfile=dockerfile or "Dockerfile")
    if not os.path.isdir(place):
        raise NotFound(f'unable to prepare context: path "{place}" not found')
    folder = os.path.realpath(place)
    if dockerfile == "-":
        return Source(folder=folder, dockerfile=_free_name(folder), text=stdin.read(_FILE_MAX))
    return _in_folder(folder, dockerfile)


def _from_stdin(dockerfile: str, stdin: BinaryIO) -> Source:
    """An archive, or a Dockerfile without a context."""
    head = stdin.read(_BLOCK)
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
    name = ".dockerfile.knarr"
    while os.path.lexists(os.path.join(folder, name)):
        name += "_"
    return name


def _ignore_rules(folder: str, dockerfile: str, text: bytes | None = None) -> IgnoreRules | None:
    names = ([f"{dockerfile}.dockerignore"] if dockerfile else []) + [".dockerignore"]
    for name in names:
        if text is not None:
            break
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                text = file.read(_FILE_MAX)
    return None if text is None else IgnoreRules.parse(text.decode(errors="replace"))


# The archive


def text_member(name: str, content: bytes, mode: int = 0o644) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    yield content + b"\0" * (-len(content) % _BLOCK)


def _folder_members(
    folder: str, rules: IgnoreRules | None, prefix: str, kept: tuple[str, ...] = ()
) -> Iterator[bytes]:
    """Everything in the folder that the rules leave in, and ``kept`` in any case."""
    seen: dict[tuple[int, int], str] = {}
    for path, entry in _walk(folder, "", rules, kept):
        info = _described(path, entry, prefix, seen)
        if info is None:
            continue
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if info.isreg() and info.size:
            yield from _content(entry.path, info.size)


def _walk(
    folder: str, below: str, rules: IgnoreRules | None, kept: tuple[str, ...]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(os.path.join(folder, below)) as found:
        entries = sorted(found, key=lambda each: each.name)
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules is not None and path not in kept and rules.excludes(path):
            if is_folder and not rules.prunes(path):
                yield from _walk(folder, path, rules, kept)
            continue
        yield path, entry
        if is_folder:
            yield from _walk(folder, path, rules, kept)


def _described(
    path: str, entry: os.DirEntry[str], prefix: str, seen: dict[tuple[int, int], str]
) -> tarfile.TarInfo | None:
    """The member's header; None for a socket. Owners are nobody's business: all is root's."""
    there = entry.stat(follow_symlinks=False)
    info = tarfile.TarInfo(posixpath.join(prefix, path))
    info.mode, info.mtime = stat.S_IMODE(there.st_mode), int(there.st_mtime)
    if stat.S_ISDIR(there.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(there.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.path)
    elif stat.S_ISFIFO(there.st_mode):
        info.type = tarfile.FIFOTYPE
    elif not stat.S_ISREG(there.st_mode):
        return None
    elif there.st_nlink > 1 and (there.st_dev, there.st_ino) in seen:
        info.type, info.linkname = tarfile.LNKTYPE, seen[there.st_dev, there.st_ino]
    else:
        info.size = there.st_size
        seen[there.st_dev, there.st_ino] = info.name
    return info


def _content(path: str, size: int) -> Iterator[bytes]:
    """Just ``size`` bytes, which the header has promised, whatever becomes of the file."""
    left = size
    try:
        with open(path, "rb", buffering=0) as file:
            while left and (piece := file.read(min(left, PIECE))):
                left -= len(piece)
                yield piece
    except PermissionError as error:
        raise KnarrError(f"error checking context: no permission to read from '{path}'") from error
    yield b"\0" * (left + -size % _BLOCK)


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
