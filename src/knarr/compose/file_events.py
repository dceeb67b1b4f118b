"""Changes of files beneath some paths, as the kernel tells them: inotify(7)."""

import ctypes
import errno
import os
import select
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Self

from knarr.errors import KnarrError

_MODIFY: Final = 0x00000002
_ATTRIB: Final = 0x00000004
_CLOSE_WRITE: Final = 0x00000008
_MOVED_FROM: Final = 0x00000040
_MOVED_TO: Final = 0x00000080
_CREATE: Final = 0x00000100
_DELETE: Final = 0x00000200
_MOVE_SELF: Final = 0x00000800
_EXCL_UNLINK: Final = 0x04000000
_ONLYDIR: Final = 0x01000000
_OVERFLOW: Final = 0x00004000
_IGNORED: Final = 0x00008000
_IS_DIRECTORY: Final = 0x40000000
_WANTED: Final = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _MOVE_SELF
    | _EXCL_UNLINK | _ONLYDIR
)  # fmt: skip
_HEADER: Final = struct.Struct("iIII")  # descriptor, mask, cookie, length of the name
_READ: Final = 64 * 1024


class FileEvents:
    """Which files change beneath ``paths``; they need not be there yet, and may go and come again.

    Of a folder that is moved away its files are told. A path of ``paths`` that goes itself is not:
    a branch of git may have it, and another not.
    skipped: whether a folder, and all beneath it, is of no interest.
    Raises KnarrError where the kernel has no more watches to give.
    """

    def __init__(
        self, paths: Iterable[str], skipped: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise _no_watch(ctypes.get_errno(), "inotify")
        self._wake_read, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._roots = sorted(set(paths))
        self._skipped = skipped
        self._folders: dict[int, str] = {}  # by watch
        self._watches: dict[str, int] = {}  # by folder
        self._names: dict[str, set[str]] = {}  # of the files in each folder
        for root in self._roots:
            self._add_root(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._fd, self._wake_read, self._wake):
            os.close(descriptor)

    def stop(self) -> None:
        """Let ``batches`` end, from another thread."""
        os.write(self._wake, b"x")

    def batches(self, quiet: float, at_most: float) -> Iterator[set[str]]:
        """Paths that have changed, once nothing happened for ``quiet`` seconds.

        at_most: seconds after which they are told although there is no quiet.
        """
        while True:
            changed: set[str] = set()
            limit = at_most
            if not self._gather(changed, None):
                return
            while changed and limit > 0 and self._readable(quiet):
                if not self._gather(changed, 0):
                    return
                limit -= quiet
            if changed:
                yield changed

    def _readable(self, seconds: float | None) -> bool:
        return bool(select.select([self._fd, self._wake_read], [], [], seconds)[0])

    def _gather(self, changed: set[str], seconds: float | None) -> bool:
        """Add what has changed. False: it is time to stop."""
        ready, _, _ = select.select([self._fd, self._wake_read], [], [], seconds)
        if self._wake_read in ready:
            return False
        if self._fd in ready:
            for watch, mask, name in _events(os.read(self._fd, _READ)):
                changed |= self._event(watch, mask, name)
        return True

    def _event(self, watch: int, mask: int, name: str) -> set[str]:
        if mask & _OVERFLOW:  # the kernel has lost count: everything may have changed
            return {path for root in self._roots for path in self._add_root(root)}
        if mask & (_IGNORED | _MOVE_SELF):
            return self._lost(self._folders.get(watch, ""))
        path = os.path.join(self._folders.get(watch, ""), name)
        if not name or watch not in self._folders:
            return set()
        self._remember(path, mask)
        found = {path}
        if mask & _IS_DIRECTORY and mask & (_CREATE | _MOVED_TO):
            found |= self._appeared(path)
        elif mask & _IS_DIRECTORY and mask & _MOVED_FROM:
            found |= self._forget(path)
        elif mask & _IS_DIRECTORY and mask & _ATTRIB:
            found = set()
        if mask & _IS_DIRECTORY and path in self._roots and not os.path.exists(path):
            found.discard(path)
        return {each for each in found if self._is_below_a_root(each)}

    def _remember(self, path: str, mask: int) -> None:
        folder, name = os.path.split(path)
        if mask & _IS_DIRECTORY or folder not in self._names:
            return
        if mask & (_DELETE | _MOVED_FROM):
            self._names[folder].discard(name)
        else:
            self._names[folder].add(name)

    def _lost(self, folder: str) -> set[str]:
        """A watched folder went, or is another now: what was in it, and is in its place."""
        if not folder:
            return set()
        found = self._forget(folder)
        for root in self._roots:
            if root == folder or root.startswith(folder.rstrip("/") + "/"):
                found |= self._add_root(root)
        return {each for each in found if self._is_below_a_root(each)}

    def _is_below_a_root(self, path: str) -> bool:
        return any(path == root or path.startswith(root.rstrip("/") + "/") for root in self._roots)

    def _appeared(self, path: str) -> set[str]:
        """What lies in a folder that is new; it may have been filled before we looked."""
        if not self._is_below_a_root(path):
            below = [root for root in self._roots if root.startswith(path + "/")]
            return {each for root in below for each in self._add_root(root)}
        return self._add_tree(path)

    def _add_root(self, root: str) -> set[str]:
        """Watch a root, and the nearest folder above it that there is; what lies beneath it."""
        above = ""
        while above != (nearest := _folder_above(root)):  # it may go, or come, while we look
            above = nearest
            self._add(above)
        if os.path.isdir(root):
            return self._add_tree(root)
        return {root} if os.path.exists(root) else set()

    def _add_tree(self, top: str) -> set[str]:
        found = {top}
        if self._skipped(top) or not self._add(top):
            return set()
        try:
            entries = list(os.scandir(top))
        except OSError:
            return found  # it is gone already
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found |= self._add_tree(entry.path)
            else:
                found.add(entry.path)
                self._names[top].add(entry.name)
        return found

    def _add(self, folder: str) -> bool:
        """False where there is no such folder any more."""
        if folder in self._watches:
            return True
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _WANTED)
        if watch < 0:
            number = ctypes.get_errno()
            if number in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                return False
            raise _no_watch(number, folder)
        self._folders[watch] = folder
        self._watches[folder] = watch
        self._names[folder] = set()
        return True

    def _forget(self, folder: str) -> set[str]:
        """What has moved away would go on to be told under its old name; the files in it."""
        below = folder.rstrip("/") + "/"
        files: set[str] = set()
        for path in [p for p in self._watches if p == folder or p.startswith(below)]:
            watch = self._watches.pop(path)
            self._folders.pop(watch, None)
            files |= {os.path.join(path, name) for name in self._names.pop(path)}
            self._libc.inotify_rm_watch(self._fd, watch)
        return files


def _folder_above(path: str) -> str:
    above = os.path.dirname(path)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    return above


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    place = 0
    while place < len(data):
        watch, mask, _, length = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        yield watch, mask, os.fsdecode(data[place : place + length].rstrip(b"\0"))
        place += length


def _no_watch(number: int, about: str) -> KnarrError:
    if number == errno.ENOSPC:
        return KnarrError(
            f"cannot watch {about}: no more watches; raise fs.inotify.max_user_watches"
        )
    if number == errno.EMFILE:
        return KnarrError(
            f"cannot watch {about}: no more watchers; raise fs.inotify.max_user_instances"
        )
    return KnarrError(f"cannot watch {about}: {os.strerror(number)}")
