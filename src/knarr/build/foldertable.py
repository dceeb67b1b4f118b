"""What is remembered of a folder between builds: the digests of its files, directory by directory.

A file is known by what changes when it does: size, times, inode and mode. The change time is among
them, since the time of modification can be set back. A directory in which none of that changed is
known at once, and its files' own records are not even unpacked.

<data root>/build/folders/<digest of the path>
"""

import hashlib
import marshal
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from knarr.errors import InvalidArgument

_VERSION: Final = 2  # of the table's form
_FINE_NS: Final = 50_000_000  # longer than a clock tick; file systems take their times from those
_COARSE_NS: Final = 2_100_000_000  # FAT counts in steps of two seconds
_MILLISECOND_NS: Final = 1_000_000

Stamp = tuple[int, ...]  # as folder.py takes it; no two states of a file have the same
Files = dict[str, tuple[Stamp, bytes]]  # by name: the stamp, and the digest of the content then


class Known(NamedTuple):
    """One directory. stamps: digest of all stamps in it; own: its own part (merkle.py).

    Both are empty where not all of its files had a digest, or one may have changed unnoticed.
    files: its ``Files``, packed.
    """

    stamps: bytes
    own: bytes
    files: bytes


def load(table: Path, path: str) -> dict[str, Known]:
    """By path of the directory; empty where there is no table, or one of another folder or form."""
    try:
        with open(table, "rb") as file:
            found: Any = marshal.load(file)
        if not isinstance(found, tuple) or found[:2] != (_VERSION, path):
            return {}
        return {folder: Known(*known) for folder, known in found[2].items()}
    except (OSError, ValueError, EOFError, TypeError):
        return {}


def save(table: Path, path: str, known: Mapping[str, Known]) -> None:
    """Whole or not at all."""
    incoming = table.with_name(f"{table.name}.{os.urandom(4).hex()}")
    table.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    plain = {folder: tuple(each) for folder, each in known.items()}
    try:
        with open(incoming, "wb") as file:
            marshal.dump((_VERSION, path, plain), file)
        os.replace(incoming, table)
    finally:
        with suppress(FileNotFoundError):
            incoming.unlink()


def pack(files: Files) -> bytes:
    return marshal.dumps(files)


def unpack(raw: bytes) -> Files:
    files: Files = marshal.loads(raw) if raw else {}
    return files


def may_change_unseen(changed_ns: int, looked_ns: int) -> bool:
    """Whether a file can change after it was looked at and keep its stamp.

    So it is for as long as the clock by which the file system counts stands still. A time in whole
    milliseconds may be one of a coarse clock.
    """
    coarse = changed_ns % _MILLISECOND_NS == 0
    return changed_ns >= looked_ns - (_COARSE_NS if coarse else _FINE_NS)


def folder_table(data_root: Path, path: Path) -> Path:
    """Where that folder's table is."""
    if not path.is_absolute():
        raise InvalidArgument(f"the path of a context must be absolute: {path}")
    name = hashlib.sha256(os.fsencode(path)).hexdigest()
    return data_root / "build" / "folders" / name
