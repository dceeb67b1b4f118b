"""Files to copy from, wherever they lie: a stored archive, or a directory such as a mounted stage.

Paths are relative to the tree's root, without a slash in front; the root itself is the empty one.
"""

import mmap
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from knarr.errors import InvalidArgument
from knarr.kernel.openat2 import open_directory
from knarr.patterns import IgnoreRules
from knarr.snapshot.names import kept_xattr
from knarr.snapshot.tar import Member, header

_LINKS_FOLLOWED: Final = 40  # as the kernel does
_PIECE_BYTES: Final = 1 << 20
_KINDS: Final = {
    stat.S_IFREG: header.REGULAR, stat.S_IFDIR: header.DIRECTORY, stat.S_IFLNK: header.SYMLINK,
    stat.S_IFCHR: header.CHARACTER, stat.S_IFBLK: header.BLOCK_DEVICE, stat.S_IFIFO: header.FIFO,
}  # fmt: skip


class Entry(NamedTuple):
    """A file of a tree. A NamedTuple, since contexts have a hundred thousand of them.

    digest: SHA-256 of a regular file's content where the tree knows it, else empty.
    same: equal for names of one file (hard links); None for a file with one name.
    """

    path: str
    member: Member
    digest: bytes = b""
    same: object = None

    @property
    def is_directory(self) -> bool:
        return self.member.kind == header.DIRECTORY

    @property
    def is_symlink(self) -> bool:
        return self.member.kind == header.SYMLINK


class Tree(Protocol):
    """Read-only files. Synchronous: what reads a lot does so off the loop."""

    def entry(self, path: str) -> Entry | None:
        """What stands at ``path``, the last part not followed if it is a symbolic link."""
        ...

    def names(self, path: str) -> list[str]:
        """What is in a directory, by name; empty for what is none."""
        ...

    def listed(self, path: str) -> list[Entry]:
        """What ``entry`` says of each of them."""
        ...

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        """The content of a regular file, in pieces that do not change afterwards."""
        ...


def resolve(tree: Tree, path: str, *, last: bool = True) -> Entry | None:
    """The entry at ``path`` with symbolic links followed inside the tree, as after chroot.

    last: also where the last part is one. None where something is missing on the way.
    """
    pending = [part for part in reversed(path.split("/")) if part not in {"", "."}]
    here, followed = "", 0
    found = tree.entry("")
    while pending:
        part = pending.pop()
        if part == "..":
            here = posixpath.dirname(here)
            continue
        found = tree.entry(f"{here}/{part}" if here else part)
        if found is None:
            return None
        if found.is_symlink and (pending or last):
            followed += 1
            if followed > _LINKS_FOLLOWED:
                raise InvalidArgument(f"{path}: too many levels of symbolic links")
            target = os.fsdecode(found.member.link)
            here = "" if target.startswith("/") else here
            pending.extend(each for each in reversed(target.split("/")) if each not in {"", "."})
            continue
        if pending and not found.is_directory:
            return None
        here = found.path
    return tree.entry(here) if found is None or found.path != here else found


def walk(tree: Tree, top: str, prune: Callable[[str], bool] | None = None) -> Iterator[Entry]:
    """Everything beneath the directory ``top``, parents first, in the order of names.

    prune: directories, by path, into which nobody needs to look.
    """
    open_folders = [iter(tree.listed(top))]
    while open_folders:
        for entry in open_folders[-1]:
            yield entry
            if entry.is_directory and not (prune and prune(entry.path)):
                open_folders.append(iter(tree.listed(entry.path)))
                break
        else:
            open_folders.pop()


def each_entry(tree: Tree, path: str) -> list[Entry]:
    """``listed`` of a tree that has no shorter way to them."""
    found = (tree.entry(f"{path}/{name}" if path else name) for name in tree.names(path))
    return [entry for entry in found if entry is not None]


def implied_directory(path: str, mtime_ns: int = 0) -> Entry:
    """A directory that an archive has files of and says nothing about."""
    return Entry(path, Member(os.fsencode(path), header.DIRECTORY, 0o755, 0, 0, 0, mtime_ns))


@dataclass(slots=True)
class ArchiveTree:
    """The members of a stored tar, by path; a later member replaces an earlier one."""

    data: mmap.mmap | bytes
    entries: dict[str, Entry] = field(default_factory=dict)
    children: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Parents that have no member of their own are made up."""
        if entry.path in self.entries and not entry.is_directory:
            self._forget_beneath(entry.path)
        path = entry.path
        while path and path not in self.entries:
            self.entries[path] = implied_directory(path)
            parent, _, name = path.rpartition("/")
            self.children.setdefault(parent, {})[name] = None
            path = parent
        self.entries[entry.path] = entry

    def _forget_beneath(self, path: str) -> None:
        pending = [path]
        while pending:
            folder = pending.pop()
            for name in self.children.pop(folder, ()):
                inner = f"{folder}/{name}"
                self.entries.pop(inner, None)
                pending.append(inner)

    def remove(self, path: str) -> None:
        """Without the entry and what lies beneath it."""
        if self.entries.pop(path, None) is None:
            return
        self._forget_beneath(path)
        parent, _, name = path.rpartition("/")
        self.children[parent].pop(name, None)

    def hide(self, rules: IgnoreRules) -> None:
        """Without what the rules exclude; a directory stays while something in it does."""
        excluded = [path for path in self.entries if rules.excludes(path)]
        for path in reversed(excluded):
            if not self.children.get(path):
                self.remove(path)

    def split(self, top: str) -> "ArchiveTree":
        """The files beneath ``top`` as a tree of their own; they are no longer in this one."""
        apart = ArchiveTree(self.data)
        for entry in list(walk(self, top)):
            path = entry.path[len(top) + 1 :]
            member = entry.member._replace(name=os.fsencode(path))
            apart.add(entry._replace(path=path, member=member))
        self.remove(top)
        return apart

    def entry(self, path: str) -> Entry | None:
        return self.entries.get(path) or (None if path else implied_directory(""))

    def names(self, path: str) -> list[str]:
        return sorted(self.children.get(path, ()))

    def listed(self, path: str) -> list[Entry]:
        lead = f"{path}/" if path else ""
        return [self.entries[lead + name] for name in self.names(path)]

    def read(self, entry: Entry) -> Iterator[memoryview]:
        content = memoryview(self.data)[entry.member.start :][: entry.member.stored]
        for start in range(0, len(content), _PIECE_BYTES):
            yield content[start : start + _PIECE_BYTES]


class FolderTree:
    """A directory of the file system, seen through a descriptor; nothing outside can be reached."""

    def __init__(self, root: int) -> None:
        """``root`` stays the caller's own."""
        self._root = os.dup(root)
        self._path = ""
        # The directory looked into last; opened anew, since ``root`` may be good for paths alone.
        self._folder = open_directory(root, "")

    def close(self) -> None:
        os.close(self._folder)
        os.close(self._root)

    def entry(self, path: str) -> Entry | None:
        parent, _, name = path.rpartition("/")
        try:
            there = os.stat(name or ".", dir_fd=self._enter(parent), follow_symlinks=False)
            return self._described(path, name, there)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._enter(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def listed(self, path: str) -> list[Entry]:
        return each_entry(self, path)

    def read(self, entry: Entry) -> Iterator[bytes]:
        parent, _, name = entry.path.rpartition("/")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=self._enter(parent))
        left = entry.member.size
        try:
            while left and (piece := os.read(fd, min(left, _PIECE_BYTES))):
                left -= len(piece)
                yield piece
        finally:
            os.close(fd)
        if left:
            raise InvalidArgument(f"{entry.path} became shorter while it was read")

    def _enter(self, path: str) -> int:
        if path != self._path:
            folder = open_directory(self._root, path)
            os.close(self._folder)
            self._folder, self._path = folder, path
        return self._folder

    def _described(self, path: str, name: str, there: os.stat_result) -> Entry | None:
        kind = _KINDS.get(stat.S_IFMT(there.st_mode))
        if kind is None:
            return None  # a socket: no archive can hold it
        folder = self._enter(path.rpartition("/")[0])
        link = os.fsencode(os.readlink(name, dir_fd=folder)) if kind == header.SYMLINK else b""
        is_device = kind in {header.CHARACTER, header.BLOCK_DEVICE}
        size = there.st_size if kind == header.REGULAR else 0
        member = Member(
            os.fsencode(path),
            kind,
            stat.S_IMODE(there.st_mode),
            there.st_uid,
            there.st_gid,
            size,
            there.st_mtime_ns,
            link,
            os.major(there.st_rdev) if is_device else 0,
            os.minor(there.st_rdev) if is_device else 0,
            _xattrs(name, folder, kind),
            0,
            size,
        )
        linked = kind == header.REGULAR and there.st_nlink > 1
        return Entry(path, member, same=(there.st_dev, there.st_ino) if linked else None)


def _xattrs(name: str, folder: int, kind: bytes) -> dict[bytes, bytes]:
    """Those that belong in a layer. Links and devices cannot be opened to ask; they have none."""
    if kind not in {header.REGULAR, header.DIRECTORY}:
        return {}
    path = f"/proc/self/fd/{folder}/{name or '.'}"
    try:
        keys = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    return {
        key.encode(): os.getxattr(path, key, follow_symlinks=False)
        for key in keys
        if kept_xattr(key.encode())
    }
