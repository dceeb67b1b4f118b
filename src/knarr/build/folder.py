"""A folder of this machine as a build context: no bytes are sent, and unchanged files not read.

The digests of files are remembered in a table beside the cache, by what changes when they do:
size, times, inode and mode. A file is read only when something asks for its digest, and again when
it is copied; then it must still be what it was.

<data root>/build/folders/<digest of the path>
"""

import hashlib
import marshal
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from knarr.build.tree import Entry, implied_directory
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.kernel.openat2 import RESOLVE_NO_SYMLINKS, openat2
from knarr.patterns import IgnoreRules
from knarr.snapshot.tar import Member, header

_PIECE_BYTES: Final = 1 << 20
_VERSION: Final = 1  # of the table's form
_Stamp = tuple[int, int, int, int, int]


class FolderContext:
    """The files of a directory that the rules leave in; owners do not count, all are root's."""

    def __init__(self, path: Path, rules: IgnoreRules | None, table: Path) -> None:
        try:
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFound(f"unable to prepare context: {path}: {error.strerror}") from error
        self._path = os.fspath(path)
        self._rules = rules
        self._table_path = table
        self._known: dict[str, tuple[_Stamp, bytes]] = _loaded(table, self._path)
        self._seen: dict[str, tuple[_Stamp, bytes]] = {}
        self._entries: dict[str, Entry | None] = {}
        self._names: dict[str, list[str]] = {}
        self._stamps: dict[str, _Stamp] = {}

    def close(self) -> None:
        """Remember the digests for the next build."""
        os.close(self._root)
        if self._seen:
            _save(self._table_path, self._path, {**self._known, **self._seen})

    def is_at(self, device: int, inode: int) -> bool:
        """Whether this is the very directory that the client sees under that path."""
        there = os.fstat(self._root)
        return (there.st_dev, there.st_ino) == (device, inode)

    def hide(self, rules: IgnoreRules) -> None:
        """From now on what the rules exclude is not there."""
        self._rules = rules
        self._entries.clear()
        self._names.clear()

    def entry(self, path: str) -> Entry | None:
        if not path:
            return implied_directory("")
        if path not in self._entries:
            parent = path.rpartition("/")[0]
            if path.rpartition("/")[2] not in self.names(parent):
                return None
        found = self._entries.get(path)
        if found is not None and found.member.kind == header.REGULAR and not found.digest:
            found = found._replace(digest=self._digest(found))
            self._entries[path] = found
        return found

    def names(self, path: str) -> list[str]:
        if path not in self._names:
            self._names[path] = self._scan(path)
        return self._names[path]

    def _scan(self, path: str) -> list[str]:
        """A directory's names, each looked at once."""
        try:
            folder = openat2(
                self._root, path or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=RESOLVE_NO_SYMLINKS
            )
        except OSError:
            return []
        try:
            names = []
            with os.scandir(folder) as found:
                for each in found:
                    inner = f"{path}/{each.name}" if path else each.name
                    if self._looked_at(inner, each, folder):
                        names.append(each.name)
            return sorted(names)
        finally:
            os.close(folder)

    def _looked_at(self, path: str, each: "os.DirEntry[str]", folder: int) -> bool:
        is_directory = each.is_dir(follow_symlinks=False)
        if self._rules is not None:
            hidden = self._rules.prunes(path) if is_directory else self._rules.excludes(path)
            if hidden:
                return False
        there = each.stat(follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(there.st_mode))
        if kind is None:
            return False
        link = os.readlink(each.name, dir_fd=folder) if kind == header.SYMLINK else ""
        size = there.st_size if kind == header.REGULAR else 0
        member = Member(
            os.fsencode(path), kind, stat.S_IMODE(there.st_mode), 0, 0, size, there.st_mtime_ns,
            os.fsencode(link), stored=size,
        )  # fmt: skip
        linked = kind == header.REGULAR and there.st_nlink > 1
        same = (there.st_dev, there.st_ino) if linked else None
        self._entries[path] = Entry(path, member, b"", same)
        if kind == header.REGULAR:
            self._stamps[path] = _stamp(there)
        return True

    def _digest(self, entry: Entry) -> bytes:
        stamp = self._stamps[entry.path]
        known = self._known.get(entry.path)
        if known is not None and known[0] == stamp:
            return known[1]
        sha = hashlib.sha256()
        for piece in self._content(entry):
            sha.update(piece)
        self._seen[entry.path] = (stamp, sha.digest())
        return sha.digest()

    def read(self, entry: Entry) -> Iterator[bytes]:
        """Raises Conflict if the file is no longer what its digest says: the cache would lie."""
        sha = hashlib.sha256()
        for piece in self._content(entry):
            sha.update(piece)
            yield piece
        if entry.digest and sha.digest() != entry.digest:
            raise Conflict(f"{entry.path} changed while the build was reading it")

    def _content(self, entry: Entry) -> Iterator[bytes]:
        try:
            fd = openat2(
                self._root,
                entry.path,
                os.O_RDONLY | os.O_NOFOLLOW,
                resolve=RESOLVE_NO_SYMLINKS,
            )
        except OSError as error:
            raise Conflict(f"{entry.path} changed while the build was reading it") from error
        left = entry.member.size
        try:
            while left and (piece := os.read(fd, min(left, _PIECE_BYTES))):
                left -= len(piece)
                yield piece
        finally:
            os.close(fd)
        if left:
            raise Conflict(f"{entry.path} changed while the build was reading it")


_KINDS: Final = {
    stat.S_IFREG: header.REGULAR, stat.S_IFDIR: header.DIRECTORY, stat.S_IFLNK: header.SYMLINK,
    stat.S_IFIFO: header.FIFO,
}  # fmt: skip


def _stamp(there: os.stat_result) -> _Stamp:
    """The change time is among them: the time of modification can be set back."""
    return (
        there.st_size, there.st_mtime_ns, there.st_ctime_ns, there.st_ino, there.st_mode,
    )  # fmt: skip


def _loaded(table: Path, path: str) -> dict[str, tuple[_Stamp, bytes]]:
    """Empty where there is none, or one of another folder or form."""
    try:
        with open(table, "rb") as file:
            found: Any = marshal.load(file)
    except (OSError, ValueError, EOFError, TypeError):
        return {}
    if not isinstance(found, tuple) or found[:2] != (_VERSION, path):
        return {}
    known: dict[str, tuple[_Stamp, bytes]] = found[2]
    return known


def _save(table: Path, path: str, known: dict[str, tuple[_Stamp, bytes]]) -> None:
    incoming = table.with_name(f"{table.name}.{os.urandom(4).hex()}")
    table.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with open(incoming, "wb") as file:
            marshal.dump((_VERSION, path, known), file)
        os.replace(incoming, table)
    finally:
        with suppress(FileNotFoundError):
            incoming.unlink()


def folder_table(data_root: Path, path: Path) -> Path:
    """Where the digests of that folder's files are remembered."""
    if not path.is_absolute():
        raise InvalidArgument(f"the path of a context must be absolute: {path}")
    name = hashlib.sha256(os.fsencode(path)).hexdigest()
    return data_root / "build" / "folders" / name
