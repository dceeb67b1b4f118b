"""A folder as the archive that a build is sent, without what .dockerignore leaves out.

Source: Dockerfile reference, "Build context"; a ``Dockerfile.dockerignore`` beside the Dockerfile
comes before the context's own. The Dockerfile and the ignore file are sent in any case.
"""

from __future__ import annotations

import io
import os
import posixpath
import secrets
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from knarr.errors import InvalidArgument, NotFound
from knarr.patterns import IgnoreRules

_PIECE = 256 * 1024  # bytes of a file sent at once
_BLOCK = 512
_IGNORE = ".dockerignore"
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """What is sent. dockerfile: its path in the archive.  added: files that are in no folder."""

    folder: str
    dockerfile: str
    rules: IgnoreRules
    added: Mapping[str, bytes] = field(default_factory=dict)

    def pieces(self) -> Iterator[bytes]:
        """The archive, as it is read. Raises OSError for what cannot be."""
        for path in self._paths():
            yield from _member(os.path.join(self.folder, path), path)
        for path, text in self.added.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text), 0o600
            yield _header(member)
            yield _padded(text)
        yield _END

    def _paths(self) -> Iterator[str]:
        kept = {self.dockerfile, _IGNORE}
        yield from _walk(self.folder, "", self.rules, kept)


def build_context(folder: str, dockerfile: str = "", *, inline: str | None = None) -> BuildContext:
    """The context of a folder. dockerfile: relative to it, or absolute; inline: the text instead.

    Raises NotFound for a missing folder or Dockerfile, InvalidArgument for what is no folder.
    """
    if not os.path.exists(folder):
        raise NotFound(f"unable to prepare context: path {folder!r} not found".replace("'", '"'))
    if not os.path.isdir(folder):
        raise InvalidArgument(f"unable to prepare context: {folder} is not a directory")
    if inline is not None:
        name = f".dockerfile.{secrets.token_hex(10)}"
        return BuildContext(
            folder=folder,
            dockerfile=name,
            rules=ignore_rules(folder, ""),
            added={name: inline.encode()},
        )
    path = os.path.join(folder, dockerfile or "Dockerfile")
    if not os.path.isfile(path):
        raise NotFound(
            f"unable to evaluate symlinks in Dockerfile path: lstat {path}: "
            "no such file or directory"
        )
    rules = ignore_rules(folder, path)
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    if not inside.startswith(".."):
        name = os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
        return BuildContext(folder=folder, dockerfile=posixpath.normpath(name), rules=rules)
    name = f".dockerfile.{secrets.token_hex(10)}"
    with open(path, "rb") as file:
        return BuildContext(folder=folder, dockerfile=name, rules=rules, added={name: file.read()})


def ignore_rules(folder: str, dockerfile: str) -> IgnoreRules:
    """The ignore file of a Dockerfile (a path; empty where it is no file), else the folder's."""
    for path in (f"{dockerfile}{_IGNORE}" if dockerfile else "", os.path.join(folder, _IGNORE)):
        if path and os.path.isfile(path):
            with open(path, encoding="utf-8-sig") as file:
                return IgnoreRules.parse(file.read())
    return IgnoreRules.of(())


def _walk(top: str, below: str, rules: IgnoreRules, kept: set[str]) -> Iterator[str]:
    with os.scandir(os.path.join(top, below)) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = posixpath.join(below, entry.name)
        out = rules.excludes(path) and path not in kept
        if entry.is_dir(follow_symlinks=False):
            if out and rules.prunes(path) and not any(k.startswith(path + "/") for k in kept):
                continue
            if not out:
                yield path
            yield from _walk(top, path, rules, kept)
        elif not out:
            yield path


def _member(path: str, name: str) -> Iterator[bytes]:
    found = os.lstat(path)
    if stat.S_ISSOCK(found.st_mode):
        return
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(found.st_mode)
    member.mtime = int(found.st_mtime)
    if stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISFIFO(found.st_mode):
        member.type = tarfile.FIFOTYPE
    elif not stat.S_ISREG(found.st_mode):
        return
    else:
        yield from _regular(path, member, found.st_size)
        return
    yield _header(member)


def _regular(path: str, member: tarfile.TarInfo, size: int) -> Iterator[bytes]:
    """A file as long as it was when the header was written, whatever happens to it meanwhile."""
    member.size = size
    with open(path, "rb", buffering=0) as file:
        yield _header(member)
        left = size
        while left:
            piece = file.read(min(left, _PIECE))
            if not piece:
                piece = bytes(min(left, _PIECE))  # it has become shorter
            left -= len(piece)
            yield piece
    if size % _BLOCK:
        yield bytes(_BLOCK - size % _BLOCK)


def _header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")


def _padded(content: bytes) -> bytes:
    buffer = io.BytesIO()
    buffer.write(content)
    buffer.write(bytes(-len(content) % _BLOCK))
    return buffer.getvalue()
