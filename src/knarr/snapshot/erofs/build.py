"""From a stored tar to its index beside it."""

import os
import time
from pathlib import Path
from typing import Final

from knarr.content.blobs import write_all
from knarr.snapshot.erofs.image import image
from knarr.snapshot.erofs.tree import tree
from knarr.snapshot.model import Contents
from knarr.snapshot.tar import Limits

NAME: Final = "tar+erofs"
INDEX: Final = "index.erofs"


def build_index(tar: memoryview, folder: Path, limits: Limits) -> Contents:
    """Write the index. Raises InvalidArgument, Unsupported, Unavailable as a snapshotter does."""
    root, contents = tree(tar, limits, time.time_ns())
    fd = os.open(folder / INDEX, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, image(root, len(tar)))
    finally:
        os.close(fd)
    return contents
