import struct
import time

from knarr.snapshot.erofs.image import image
from knarr.snapshot.erofs.tree import tree
from knarr.snapshot.tar import members
from support.registry import tar_of


def test_no_entry_has_the_inode_number_0_which_readdir_passes_over() -> None:
    tar = tar_of({"folder/file": b"x"})
    root, _ = tree(members(tar), time.time_ns())
    raw = image(root, len(tar))
    names = raw.index(b"...folder")  # the root's, behind its three entries
    numbers = [struct.unpack_from("<Q", raw, names - 12 * left)[0] for left in (3, 2, 1)]
    assert all(numbers)
    (number,) = struct.unpack_from("<H", raw, 1024 + 14)
    assert numbers[:2] == [number, number]
