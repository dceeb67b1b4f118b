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
from collections.abc import Iterable, Iterator
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from knarr.build import foldertable
from knarr.build.foldercontents import FolderContents, changed
from knarr.build.foldertable import Files, Known, Stamp, may_change_unseen
from knarr.build.merkle import combined, joined, own_part, said, said_file
from knarr.build.tree import Entry, implied_directory
from knarr.errors import NotFound
from knarr.kernel.openat2 import RESOLVE_NO_SYMLINKS, open_directory, openat2
from knarr.patterns import IgnoreRules
from knarr.snapshot.tar import Member, header

_STAMP: Final = attrgetter(
    "st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_nlink"
)  # fmt: skip
_MODE: Final = itemgetter(0)
_CHANGED: Final = itemgetter(3)
_FORMAT: Final = 0o170000  # of a mode: the kind of file
_KINDS: Final = {
    stat.S_IFREG: header.REGULAR, stat.S_IFDIR: header.DIRECTORY, stat.S_IFLNK: header.SYMLINK,
    stat.S_IFIFO: header.FIFO,
}  # fmt: skip
_UNKNOWN: Final[tuple[Stamp, bytes]] = ((), b"")


class _Listing(NamedTuple):
    """A directory as it was when it was looked at.

    names: in order. stamps: of all of them. folders, files: names of directories, of regular files.
    digest: of all stamps, of directories the mode alone; empty where one may yet change and keep
    its stamp.
    """

    device: int
    names: list[str]
    stamps: dict[str, Stamp]
    folders: list[str]
    files: list[str]
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
        self._entries: dict[str, list[Entry]] = {}  # by directory
        self._files: dict[str, Files] = {}  # by directory: what was known of it, and found since
        self._found: set[str] = set()  # directories with digests that the table does not have
        self._own: dict[str, bytes] = {}
        self._contents = FolderContents(self._root)
        self._lock = threading.RLock()  # stages side by side ask for keys in threads

    def close(self) -> None:
        """Remember the digests for the next build."""
        self._contents.close()
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
        folder, _, name = path.rpartition("/")
        listing = self._listing(folder)
        stamp = listing.stamps.get(name)
        if stamp is None or stamp[0] & _FORMAT not in _KINDS:
            return None
        is_file = stat.S_ISREG(stamp[0])
        digest = self._digests(folder, listing, [name])[name][1] if is_file else b""
        return self._described(folder, name, stamp, listing.device, digest)

    def names(self, path: str) -> list[str]:
        return self._listing(path).names

    def listed(self, path: str) -> list[Entry]:
        with self._lock:
            if path not in self._entries:
                listing = self._listing(path)
                stamps, files = listing.stamps, self._digests(path, listing, listing.files)
                self._entries[path] = [
                    self._described(
                        path, name, stamps[name], listing.device, files.get(name, _UNKNOWN)[1]
                    )
                    for name in listing.names
                ]
            return self._entries[path]

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
        self._own[path] = own_part(self._said(path, listing))
        self._found.add(path)
        return self._own[path]

    def _said(self, path: str, listing: _Listing) -> Iterator[bytes]:
        files = self._digests(path, listing, listing.files)
        for name in listing.names:
            stamp = listing.stamps[name]
            mode, size, *_ = stamp
            if mode & _FORMAT == stat.S_IFREG:
                yield said_file(os.fsencode(name), stat.S_IMODE(mode), size, files[name][1])
            else:
                yield said(self._described(path, name, stamp, listing.device, b""))

    # What is there

    def _listing(self, path: str) -> _Listing:
        with self._lock:
            if path not in self._listings:
                self._listings[path] = self._scan(path)
            return self._listings[path]

    def _scan(self, path: str) -> _Listing:
        """A directory's names, each looked at once."""
        rules = self._rules
        try:
            folder = open_directory(self._root, path, resolve=RESOLVE_NO_SYMLINKS)
        except OSError:
            return _Listing(0, [], {}, [], [], b"")
        try:
            device = os.fstat(folder).st_dev
            with os.scandir(folder) as found:
                stamps = {
                    each.name: _STAMP(each.stat(follow_symlinks=False))
                    for each in found
                    if rules is None or self._is_in(path, each)
                }
        except FileNotFoundError as error:
            raise changed(path or self._path) from error
        finally:
            os.close(folder)
        return self._listed_all(device, stamps)

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

    def _listed_all(self, device: int, stamps: dict[str, Stamp]) -> _Listing:
        names = files = sorted(stamps)
        folders: list[str] = []
        ordered = [stamps[name] for name in names]
        if any(not stat.S_ISREG(mode) for mode in set(map(_MODE, ordered))):
            names = [name for name in names if stamps[name][0] & _FORMAT in _KINDS]
            folders = [name for name in names if stat.S_ISDIR(stamps[name][0])]
            files = [name for name in names if stat.S_ISREG(stamps[name][0])]
            ordered = [
                (mode, 0, 0, 0) if stat.S_ISDIR(mode := stamps[name][0]) else stamps[name]
                for name in names
            ]
        digest = b""
        if not may_change_unseen(max(map(_CHANGED, ordered), default=0), self._looked_ns):
            digest = hashlib.sha256(marshal.dumps((device, names, ordered), 2)).digest()
        return _Listing(device, names, stamps, folders, files, digest)

    def _described(self, folder: str, name: str, stamp: Stamp, device: int, digest: bytes) -> Entry:
        mode, size, mtime_ns, _, inode, links = stamp
        path = f"{folder}/{name}" if folder else name
        kind = _KINDS[mode & _FORMAT]
        link = self._link(path) if kind == header.SYMLINK else b""
        size = size if kind == header.REGULAR else 0
        member = Member(
            path.encode(errors="surrogateescape"), kind, mode & 0o7777, 0, 0, size, mtime_ns, link,
            stored=size,
        )  # fmt: skip
        linked = links > 1 and kind == header.REGULAR
        return Entry(path, member, digest, (device, inode) if linked else None)

    def _link(self, path: str) -> bytes:
        parent, _, name = path.rpartition("/")
        try:
            folder = openat2(self._root, parent or ".", os.O_PATH, resolve=RESOLVE_NO_SYMLINKS)
            try:
                return os.fsencode(os.readlink(name, dir_fd=folder))
            finally:
                os.close(folder)
        except OSError as error:
            raise changed(path) from error

    # Contents

    def _files_of(self, folder: str) -> Files:
        if folder not in self._files:
            known = self._known.get(folder)
            self._files[folder] = foldertable.unpack(known.files) if known else {}
        return self._files[folder]

    def _digests(self, folder: str, listing: _Listing, names: Iterable[str]) -> Files:
        """What is known of a directory's files, with those of that name among it."""
        with self._lock:
            files, stamps = self._files_of(folder), listing.stamps
            missing = {
                name: stamps[name] for name in names if files.get(name, _UNKNOWN)[0] != stamps[name]
            }
            if missing:
                for name, digest in self._contents.digests(folder, missing).items():
                    files[name] = (stamps[name], digest)
                self._found.add(folder)
            return files

    def read(self, entry: Entry) -> Iterator[bytes]:
        """Raises Conflict if the file is no longer what its digest says: the cache would lie."""
        return self._contents.read(entry.path, entry.member.size, entry.digest)
