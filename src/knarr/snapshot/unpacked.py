"""The driver *unpacked*: a layer is a plain directory. It works on every kernel with overlayfs."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from knarr.snapshot.alike import are_alike
from knarr.snapshot.contents import Contents
from knarr.snapshot.tar import Limits, Member
from knarr.snapshot.unpack import unpack

NAME: Final = "unpacked"
TREE: Final = "fs"


def build_tree(
    tar: memoryview, folder: Path, limits: Limits, *, umask: int | None = None
) -> Contents:
    """Unpack beside the tar. Raises InvalidArgument, Unavailable as a snapshotter does."""
    tree = folder / TREE
    tree.mkdir(mode=0o755)
    root = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fchmod(root, 0o755)
        return unpack(tar, root, limits, umask=umask)
    except BaseException:
        shutil.rmtree(tree, ignore_errors=True)
        raise
    finally:
        os.close(root)


class Unpacked:
    """``<folder>/fs``, whose files are the layer's files."""

    name = NAME
    made = TREE

    takes_members = False

    def build(
        self,
        tar: memoryview,
        folder: Path,
        limits: Limits,
        members: Sequence[Member] | None = None,  # noqa: ARG002
    ) -> Contents:
        return build_tree(tar, folder, limits)

    def has(self, folder: Path) -> bool:
        return (folder / TREE).is_dir()

    def is_sound(self, tar: memoryview, folder: Path, scratch: Path, limits: Limits) -> bool:
        """By unpacking once more: a tree says nothing of what it should be."""
        build_tree(tar, scratch, limits)
        try:
            return are_alike(scratch / TREE, folder / TREE)
        finally:
            shutil.rmtree(scratch / TREE, ignore_errors=True)

    def lower(self, folder: Path) -> Path:
        return folder / TREE

    def release(self, folder: Path) -> None:
        """Nothing is mounted."""

    def close(self) -> None:
        """Nothing is mounted."""
