"""Layers that are not unpacked: the tar as it came, and a small EROFS image of its metadata.

tree.py reads an archive's members into a tree, image.py writes the tree as an EROFS image whose
files' data lie in the tar, driver.py mounts the two together.

Source: Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h (the on-disk format).
"""

from knarr.snapshot.erofs.driver import TarIndex, mountable

__all__ = ["TarIndex", "mountable"]
