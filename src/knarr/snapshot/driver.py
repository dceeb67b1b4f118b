"""What a snapshotter promises: from a layer's tar to a directory that overlayfs stands on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from knarr.snapshot.contents import Contents
from knarr.snapshot.tar import Limits, Member


class Snapshotter(Protocol):
    """One way to make layers mountable.

    The life of a layer: its tar is stored as ``<folder>/layer.tar`` and never changed. ``build``
    makes beside it what this driver needs, which can be deleted and made again at any time.
    ``lower`` gives a directory, and may mount something to have one; ``release`` takes that back.
    The folder moves once between ``build`` and the first ``lower``. Everything is synchronous.
    """

    @property
    def name(self) -> str:
        """As ``info`` shows it."""

    @property
    def made(self) -> str:
        """What ``build`` makes in the layer's folder: the name of a file or a directory."""

    @property
    def takes_members(self) -> bool:
        """Whether ``build`` is quick where the archive's members are known."""

    def build(
        self,
        tar: memoryview,
        folder: Path,
        limits: Limits,
        members: Sequence[Member] | None = None,
    ) -> Contents:
        """Prepare a layer. Raises InvalidArgument for a hostile or broken archive, Unavailable on
        a full disk, Unsupported for a layer that this driver cannot do and another can.

        members: what a reader of the archive finds, where the engine wrote it itself.
        """

    def has(self, folder: Path) -> bool:
        """Whether ``build`` of this driver has prepared the layer."""

    def is_sound(self, tar: memoryview, folder: Path, scratch: Path, limits: Limits) -> bool:
        """Whether what lies in ``folder`` is what ``build`` would make of the tar.

        scratch: an empty folder on the same file system, for work. Raises as ``build`` does.
        """

    def lower(self, folder: Path) -> Path:
        """The layer's directory, read-only for everybody."""

    def release(self, folder: Path) -> None:
        """Before the layer is deleted or made anew by another driver."""

    def close(self) -> None:
        """With the daemon; root filesystems that stand on its layers go on."""
