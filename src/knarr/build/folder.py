"""A folder of this machine as a build context: no bytes are sent, and unchanged files not read.

Each directory is read once a build, and each file in it looked at once. What its files' digests
are is remembered from build to build (foldertable.py); a file is read only when something asks for
a digest that is not known, and again when it is copied; then it must still be what it was.
"""

import hashlib
import marshal
import os
import stat
import threading
import time
from collections.abc import Iterator
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from knarr.build import foldertable
from knarr.build.foldertable import Files, Known, Stamp, may_change_unseen
from knarr.build.merkle import combined, joined, own_part
from knarr.build.tree import Entry, implied_directory
from knarr.errors import Conflict, NotFound
from knarr.kernel.openat2 import RESOLVE_NO_SYMLINKS, openat2
from knarr.patterns import IgnoreRules
from knarr.snapshot.tar import Member, header

_PIECE_BYTES: Final = 1 << 20
_STAMP: Final = attrgetter(
    "st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_nlink"
)  # fmt: skip
_CHANGED: Final = itemgetter(3)
_FORMAT: Final = 0o170000  # of a mode: the kind of file
_KINDS: Final = {
    stat.S_IFREG: header.REGULAR, stat.S_IFDIR: header.DIRECTORY, stat.S_IFLNK: header.SYMLINK,
    stat.S_IFIFO: header.FIFO,
}  # fmt: skip


class _Listing(NamedTuple):
    """A directory as it was when it was looked at.

    names: in order. stamps: of all of them. folders: names of directories. digest: of all stamps,
    of directories the mode alone; empty where one may yet change and keep its stamp.
    """

    device: int
    names: list[str]
    stamps: dict[str, Stamp]
    folders: list[str]
    digest: bytes


class FolderContext:
    """The files of a directory that the rules leave in; owners do not count, all are root's."""

    def __init__(self, path: Path, rules: IgnoreRules | None, table: Path) -> None:
        try:
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFound(f"unable to prepare context: {path}: {error.strerror}") from error
        self._path = os.fspath(path)
        self._rules = rules
        self._table = table
        self._looked_ns = time.time_ns()
        self._known = foldertable.load(table, self._path)
        self._listings: dict[str, _Listing] = {}
        self._entries: dict[str, Entry] = {}
        self._files: dict[str, Files] = {}  # by directory: what was known of it, and found since
        self._found: set[str] = set()  # directories with digests that the table does not have
        self._own: dict[str, bytes] = {}
        self._lock = threading.RLock()  # stages side by side ask for keys in threads

    def close(self) -> None:
        """Remember the digests for the next build."""
        os.close(self._root)
        now = {path: self._record(path) for path in self._found}
        if any(self._known.get(path) != record for path, record in now.items()):
            left = {path: known for path, known in self._known.items() if self._may_be(path)}
            foldertable.save(self._table, self._path, {**left, **now})

    def _may_be(self, path: str) -> bool:
        """Whether a directory of the table is still there, as far as was looked."""
        while path:
            parent, _, name = path.rpartition("/")
            listing = self._listings.get(parent)
            if listing is not None and name not in listing.stamps:
                return False
            path = parent
        return True

    def _record(self, path: str) -> Known:
        listing, files = self._listings[path], self._files[path]
        sure = {
            name: (stamp, digest)
            for name, (stamp, digest) in files.items()
            if listing.stamps.get(name) == stamp
            and not may_change_unseen(_CHANGED(stamp), self._looked_ns)
        }
        whole = path in self._own and bool(listing.digest)
        return Known(
            listing.digest if whole else b"",
            self._own[path] if whole else b"",
            foldertable.pack(sure),
        )

    def is_at(self, device: int, inode: int) -> bool:
        """Whether this is the very directory that the client sees under that path."""
        there = os.fstat(self._root)
        return (there.st_dev, there.st_ino) == (device, inode)

    def hide(self, rules: IgnoreRules) -> None:
        """From now on what the rules exclude is not there."""
        self._rules = rules
        for known in (self._listings, self._entries, self._files, self._own):
            known.clear()
        self._found.clear()

    def entry(self, path: str) -> Entry | None:
        if not path:
            return implied_directory("")
        found = self._entry(path)
        if found is None or found.digest or found.member.kind != header.REGULAR:
            return found
        found = self._entries[path] = found._replace(digest=self._digest(found))
        return found

    def names(self, path: str) -> list[str]:
        return self._listing(path).names

    def beneath(self, path: str) -> bytes:
        """As merkle.beneath says; directories that are as they were are not looked into."""
        with self._lock:
            return combined(path, self._folders, self._own_part)

    def _folders(self, path: str) -> list[str]:
        return [joined(path, name) for name in self._listing(path).folders]

    def _own_part(self, path: str) -> bytes:
        if path in self._own:
            return self._own[path]
        listing, known = self._listing(path), self._known.get(path)
        if known is not None and known.own and known.stamps == listing.digest:
            return known.own
        entries = (self.entry(joined(path, name)) for name in listing.names)
        self._own[path] = own_part(each for each in entries if each is not None)
        self._files_of(path)
        self._found.add(path)
        return self._own[path]

    # What is there

    def _listing(self, path: str) -> _Listing:
        with self._lock:
            if path not in self._listings:
                self._listings[path] = self._scan(path)
            return self._listings[path]

    def _scan(self, path: str) -> _Listing:
        """A directory's names, each looked at once."""
        try:
            folder = openat2(
                self._root, path or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=RESOLVE_NO_SYMLINKS
            )
        except OSError:
            return _Listing(0, [], {}, [], b"")
        try:
            device = os.fstat(folder).st_dev
            with os.scandir(folder) as found:
                stamps = {
                    each.name: _STAMP(each.stat(follow_symlinks=False))
                    for each in found
                    if self._rules is None or self._is_in(path, each)
                }
        except FileNotFoundError as error:
            raise _changed(path or self._path) from error
        finally:
            os.close(folder)
        return self._listed(device, stamps)

    def _is_in(self, path: str, each: "os.DirEntry[str]") -> bool:
        """A directory that the rules exclude is there if something in it is."""
        rules, inner = self._rules, joined(path, each.name)
        if rules is None or not rules.excludes(inner):
            return True
        return (
            each.is_dir(follow_symlinks=False)
            and not rules.prunes(inner)
            and bool(self.names(inner))
        )

    def _listed(self, device: int, stamps: dict[str, Stamp]) -> _Listing:
        names: list[str] = []
        folders: list[str] = []
        seen: list[tuple[str, object]] = []
        changed_ns = 0
        for name in sorted(stamps):
            stamp = stamps[name]
            kind = stamp[0] & _FORMAT
            if kind not in _KINDS:
                continue
            names.append(name)
            if kind == stat.S_IFDIR:
                folders.append(name)
                seen.append((name, stamp[0]))
            else:
                seen.append((name, stamp))
                changed_ns = max(changed_ns, stamp[3])
        digest = b""
        if not may_change_unseen(changed_ns, self._looked_ns):
            digest = hashlib.sha256(marshal.dumps((device, seen), 2)).digest()
        return _Listing(device, names, stamps, folders, digest)

    def _entry(self, path: str) -> Entry | None:
        """Without the digest that it may have."""
        found = self._entries.get(path)
        if found is None:
            parent, _, name = path.rpartition("/")
            listing = self._listing(parent)
            stamp = listing.stamps.get(name)
            found = self._described(path, stamp, listing.device) if stamp else None
            if found is not None:
                self._entries[path] = found
        return found

    def _described(self, path: str, stamp: Stamp, device: int) -> Entry | None:
        mode, size, mtime_ns, _, inode, links = stamp
        kind = _KINDS.get(mode & _FORMAT)
        if kind is None:
            return None
        link = self._link(path) if kind == header.SYMLINK else b""
        size = size if kind == header.REGULAR else 0
        member = Member(
            os.fsencode(path), kind, stat.S_IMODE(mode), 0, 0, size, mtime_ns, link, stored=size,
        )  # fmt: skip
        linked = kind == header.REGULAR and links > 1
        return Entry(path, member, b"", (device, inode) if linked else None)

    def _link(self, path: str) -> bytes:
        parent, _, name = path.rpartition("/")
        try:
            folder = openat2(self._root, parent or ".", os.O_PATH, resolve=RESOLVE_NO_SYMLINKS)
            try:
                return os.fsencode(os.readlink(name, dir_fd=folder))
            finally:
                os.close(folder)
        except OSError as error:
            raise _changed(path) from error

    # Contents

    def _files_of(self, folder: str) -> Files:
        if folder not in self._files:
            known = self._known.get(folder)
            self._files[folder] = foldertable.unpack(known.files) if known else {}
        return self._files[folder]

    def _digest(self, entry: Entry) -> bytes:
        folder, _, name = entry.path.rpartition("/")
        files, stamp = self._files_of(folder), self._listing(folder).stamps[name]
        known = files.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        sha = hashlib.sha256()
        for piece in self._content(entry):
            sha.update(piece)
        files[name] = (stamp, sha.digest())
        self._found.add(folder)
        return sha.digest()

    def read(self, entry: Entry) -> Iterator[bytes]:
        """Raises Conflict if the file is no longer what its digest says: the cache would lie."""
        sha = hashlib.sha256()
        for piece in self._content(entry):
            sha.update(piece)
            yield piece
        if entry.digest and sha.digest() != entry.digest:
            raise _changed(entry.path)

    def _content(self, entry: Entry) -> Iterator[bytes]:
        try:
            fd = openat2(
                self._root,
                entry.path,
                os.O_RDONLY | os.O_NOFOLLOW,
                resolve=RESOLVE_NO_SYMLINKS,
            )
        except OSError as error:
            raise _changed(entry.path) from error
        left = entry.member.size
        try:
            while left and (piece := os.read(fd, min(left, _PIECE_BYTES))):
                left -= len(piece)
                yield piece
        finally:
            os.close(fd)
        if left:
            raise _changed(entry.path)


def _changed(path: str) -> Conflict:
    return Conflict(f"{path} changed while the build was reading it")
