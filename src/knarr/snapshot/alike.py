"""Whether two directories hold the same: names, kinds, owners, modes, attributes, contents."""

import os
import stat
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 20


def are_alike(one: Path, other: Path) -> bool:
    """Times of directories are left out: those that an archive does not name are made now."""
    pending = [(os.fsencode(one), os.fsencode(other))]
    while pending:
        left, right = pending.pop()
        names = os.listdir(left)
        if not _same_status(left, right) or sorted(names) != sorted(os.listdir(right)):
            return False
        for name in names:
            pair = left + b"/" + name, right + b"/" + name
            if stat.S_ISDIR(os.lstat(pair[0]).st_mode):
                pending.append(pair)
            elif not (_same_status(*pair) and _same_content(*pair)):
                return False
    return True


def _same_status(left: bytes, right: bytes) -> bool:
    return _status(left) == _status(right)


def _status(path: bytes) -> tuple[object, ...]:
    there = os.lstat(path)
    xattrs = {
        key: os.getxattr(path, key, follow_symlinks=False)
        for key in os.listxattr(path, follow_symlinks=False)
    }
    plain = (there.st_mode, there.st_uid, there.st_gid, there.st_rdev, xattrs)
    if stat.S_ISDIR(there.st_mode):
        return plain
    return (*plain, there.st_size, there.st_mtime_ns, there.st_nlink)


def _same_content(left: bytes, right: bytes) -> bool:
    mode = os.lstat(left).st_mode
    if stat.S_ISLNK(mode):
        return os.readlink(left) == os.readlink(right)
    if not stat.S_ISREG(mode):
        return True
    with open(left, "rb", buffering=0) as one, open(right, "rb", buffering=0) as other:
        while piece := one.read(_PIECE):
            if piece != other.read(_PIECE):
                return False
    return True
