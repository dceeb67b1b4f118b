"""What is done to the data of a volume: filled, copied, packed, extracted, measured.

Synchronous, for threads. Source and target are opened without following a link.
"""

import os
import shutil
from collections.abc import Callable
from typing import Final

from knarr.content import plain_chunks
from knarr.kernel import mount
from knarr.kernel.openat2 import open_directory
from knarr.kernel.owners import Owners
from knarr.snapshot.extract import Manner, extract
from knarr.snapshot.pack import Sink, pack_tree
from knarr.volume.copy import copy_tree, size_bytes

FILLING: Final = "_filling"  # becomes the data once it is whole


def open_folder(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def is_empty(path: str) -> bool:
    with os.scandir(path) as entries:
        return next(entries, None) is None


def extract_all(path: str, chunks: Callable[[], bytes]) -> None:
    folder = open_folder(path)
    try:
        extract(plain_chunks(chunks), folder, "/", Manner())
    finally:
        os.close(folder)


def size_of(path: str) -> int:
    folder = open_folder(path)
    try:
        return size_bytes(folder)
    finally:
        os.close(folder)


def pack_all(path: str, sink: Sink) -> None:
    folder = open_folder(path)
    try:
        pack_tree(folder, b".", sink)
    finally:
        os.close(folder)


def image_folder(rootfs: str, destination: str) -> int | None:
    """The image's directory at a destination, open; None where there is none."""
    root = open_folder(rootfs)
    try:
        return open_directory(root, destination)
    except (FileNotFoundError, NotADirectoryError):
        return None
    finally:
        os.close(root)


def copy_into(source: str, target: str) -> None:
    folder = open_folder(source)
    try:
        fill(folder, target)
    finally:
        os.close(folder)


def fill(source: int, target: str, *, in_place: bool = False, owners: Owners | None = None) -> None:
    """Copy the open directory into an empty one; all at once, in one rename, where that can be.

    in_place: somebody has the directory itself, which must not be exchanged for another then. A
    mount point cannot be. There, a copy that breaks off leaves what was copied until then.
    owners: as ``copy_tree`` has them.
    """
    if in_place or mount.is_mount_point(target):
        _copy_to(source, target, owners)
        return
    filling = os.path.join(os.path.dirname(target), FILLING)
    shutil.rmtree(filling, ignore_errors=True)
    os.mkdir(filling, 0o700)
    try:
        _copy_to(source, filling, owners)
        os.rename(filling, target)  # over an empty directory; one that was written to stays
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise


def _copy_to(source: int, path: str, owners: Owners | None) -> None:
    folder = open_folder(path)
    try:
        copy_tree(source, folder, owners)
    finally:
        os.close(folder)
