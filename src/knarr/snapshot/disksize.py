"""How large a container's disk is: what the container may write, and what ext4 takes besides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from knarr.errors import InvalidArgument
from knarr.units import human_size_binary, size_bytes

BLOCK: Final = 4096
_LEAST: Final = 8 << 20  # below it a journal does not fit
_MOST: Final = 8 << 40  # many file systems have no files of more than 16 TiB
_MIB: Final = 1 << 20
_INODE: Final = 256
_INODE_EVERY: Final = 16384  # bytes of the disk
_GROUP: Final = 1 << 27  # bytes that share bitmaps
_HELD_BACK_MOST: Final = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSize:
    """``usable_bytes`` are the container's; the file is larger by what the file system needs."""

    usable_bytes: int

    @property
    def journal_bytes(self) -> int:
        if self.usable_bytes < 256 * _MIB:
            return 4 * _MIB
        return 16 * _MIB if self.usable_bytes < 4096 * _MIB else 64 * _MIB

    @property
    def file_bytes(self) -> int:
        """In whole blocks. ext4 holds a fiftieth back for its own needs, 16 MiB at most."""
        data = self.usable_bytes + self.journal_bytes
        data += min(data // 48, _HELD_BACK_MOST)
        total = data * _INODE_EVERY // (_INODE_EVERY - _INODE)
        total += (total // _GROUP * 4 + 40) * BLOCK
        return -(-total // BLOCK) * BLOCK

    @property
    def options(self) -> tuple[str, ...]:
        """What mkfs.ext4 is told of it."""
        journal = f"size={self.journal_bytes // _MIB}"
        return ("-b", f"{BLOCK}", "-i", f"{_INODE_EVERY}", "-I", f"{_INODE}", "-J", journal)


def wanted_size(options: Mapping[str, str]) -> DiskSize | None:
    """What ``--storage-opt`` asks for; None for no bound. Raises InvalidArgument."""
    size = 0
    for name, value in options.items():
        if name.lower() != "size":
            raise InvalidArgument(f"unknown storage option '{name}': there is only size")
        size = size_bytes(value)
        if size and not _LEAST <= size <= _MOST:
            raise InvalidArgument(
                f"--storage-opt size={value}: the least is {human_size_binary(_LEAST)},"
                f" the most {human_size_binary(_MOST)}"
            )
    return DiskSize(usable_bytes=size) if size else None
