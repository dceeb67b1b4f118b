"""From a stored tar to its index beside it."""

import os
import time
from typing import TYPE_CHECKING, Final

from knarr.content.writing import write_all
from knarr.snapshot.contents import Contents
from knarr.snapshot.erofs.image import HEAD_BYTES, image, made_ns
from knarr.snapshot.erofs.tree import tree
from knarr.snapshot.tar import Limits, bounded, members

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from knarr.snapshot.tar import Member

NAME: Final = "tar+erofs"
INDEX: Final = "index.erofs"


def build_index(
    tar: memoryview,
    folder: str | os.PathLike[str],
    limits: Limits,
    known: "Sequence[Member] | None" = None,
) -> Contents:
    """Write the index. Raises InvalidArgument, Unsupported, Unavailable as a snapshotter does.

    known: the archive's members, if somebody knows them; else they are read.
    """
    now_ns = time.time_ns()
    found = members(tar, limits) if known is None else bounded(known, limits)
    root, contents = tree(found, now_ns)
    fd = os.open(os.path.join(folder, INDEX), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, image(root, len(tar), now_ns))
    finally:
        os.close(fd)
    return contents


def is_index_of(tar: memoryview, path: "Path", limits: Limits) -> bool:
    """Whether the index at ``path`` is, byte for byte, the one of this tar."""
    there = path.read_bytes()
    when_ns = made_ns(there[:HEAD_BYTES])
    if when_ns < 0:
        return False
    root, _ = tree(members(tar, limits), when_ns)
    return image(root, len(tar), when_ns) == there
