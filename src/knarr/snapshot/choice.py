"""Which snapshotters this machine has, the one for new layers first."""

from collections.abc import Sequence
from pathlib import Path

from knarr.errors import InvalidArgument, Unsupported
from knarr.snapshot.driver import Snapshotter
from knarr.snapshot.erofs import TarIndex, mountable
from knarr.snapshot.unpacked import Unpacked


def snapshotters(data_root: Path, run_root: Path, wanted: str = "") -> Sequence[Snapshotter]:
    """All that work here; ``wanted`` first, else the index of the tar where the kernel can.

    The other one stays in the list: for layers that the first cannot do, and for those it made.
    Raises InvalidArgument for an unknown name, Unsupported for one that this kernel cannot.
    """
    unpacked, index = Unpacked(), mountable(data_root, run_root)
    if wanted not in ("", Unpacked.name, TarIndex.name):
        raise InvalidArgument(
            f"unknown snapshotter '{wanted}': there are {TarIndex.name} and {Unpacked.name}"
        )
    if index is None:
        if wanted == TarIndex.name:
            raise Unsupported(
                f"the snapshotter {wanted} needs a kernel that mounts EROFS from a file (6.12)"
            )
        return [unpacked]
    return [unpacked, index] if wanted == Unpacked.name else [index, unpacked]
