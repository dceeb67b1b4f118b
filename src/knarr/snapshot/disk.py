"""A writable layer of bounded size: on a file system of its own, in a sparse file.

    <data root>/containers/<id>/disk.ext4     in it upper/ and work/

It is mounted for the length of a block, out of sight: whoever has to stay, an overlay, holds it
himself. So nothing is left behind when this process is killed: device and mount go with whoever
used them last. docs/decisions/container-sizes.md says why it is not a quota.
"""

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from knarr.errors import InvalidArgument, KnarrError, Unavailable, Unsupported
from knarr.kernel import loop, mount
from knarr.snapshot.disksize import BLOCK, DiskSize

DISK: Final = "disk.ext4"
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_LETTING_GO_SECONDS: Final = 30.0
_OPTIONS: Final = (
    "discard",  # what the container deletes, the host has again
    "noinit_itable",  # tables that the file has not got are empty: they need no writing
)


def make_disk(folder: Path, size: DiskSize) -> None:
    """A disk in ``folder``. Takes some milliseconds, and no room before it is written to.

    Raises Unsupported in the words of what this machine lacks.
    """
    with ExitStack() as undo:
        file = folder / DISK
        undo.callback(file.unlink, missing_ok=True)
        try:
            file.touch(mode=0o600)
            os.truncate(file, size.file_bytes)
        except OSError as error:
            raise _meaning(error) from error
        _format(file, size)
        with disk_mounted(folder) as place:
            for name in ("upper", "work"):
                (place / name).mkdir(mode=0o755)
        undo.pop_all()


def has_disk(folder: Path) -> bool:
    return (folder / DISK).exists()


@contextmanager
def disk_mounted(folder: Path) -> Iterator[Path]:
    """The disk's root for the length of a block, by this process's descriptor."""
    with _root(folder) as fd:
        yield Path(f"/proc/self/fd/{fd}")


@contextmanager
def disk_attached(folder: Path, point: Path) -> Iterator[Path]:
    """The same at ``point``, for overlayfs: before Linux 6.15 it takes nothing detached."""
    with _root(folder) as fd:
        point.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            mount.attach(fd, os.fspath(point))
            yield point
        finally:
            detach_disk(point)


def detach_disk(point: Path) -> None:
    """What ``disk_attached`` has made, if it was cut off: nothing else is held by it."""
    if point.is_dir():
        for _ in mount.mounts_beneath(os.fspath(point)):
            mount.unmount(os.fspath(point), lazy=True)
        point.rmdir()


@contextmanager
def _root(folder: Path) -> Iterator[int]:
    try:
        fd = _mounted(folder / DISK)
    except OSError as error:
        raise _meaning(error) from error
    with mount.detached(fd):
        yield fd


def _mounted(file: Path) -> int:
    """A detached mount, of the superblock that there is or of a new one."""
    fd = os.open(file, os.O_RDWR)
    try:
        device = _device(fd)
        try:
            return _filesystem(device)
        finally:
            os.close(device)
    finally:
        os.close(fd)


def _filesystem(device: int) -> int:
    with mount.Filesystem("ext4") as disk:
        disk.text("source", loop.path(device))
        for option in _OPTIONS:
            disk.flag(option)
        return disk.mount()


def _device(file: int) -> int:
    """The loop device of the file: its own, or a free one as soon as the last has let go."""
    end = time.monotonic() + _LETTING_GO_SECONDS
    while True:
        device = loop.attached(file)
        if device is not None:
            return device
        try:
            return loop.attach(file, BLOCK)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.001)


def _format(file: Path, size: DiskSize) -> None:
    """With a journal: what a container wrote outlives the machine's power, as on any disk."""
    program = shutil.which("mkfs.ext4", path=_PATH)
    if program is None:
        raise Unsupported("--storage-opt size needs mkfs.ext4: install e2fsprogs")
    options = (
        "-q", "-F", "-m", "0", *size.options, "-O", "^resize_inode",
        "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1",
    )  # fmt: skip
    done = subprocess.run([program, *options, file], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise KnarrError(f"making the container's disk: {said}")


def _meaning(error: OSError) -> KnarrError:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Unavailable("no space left on device, making the container's disk")
        case errno.EFBIG:
            return InvalidArgument(
                "--storage-opt size: the file system of the data root has no files of that size"
            )
        case errno.ENOENT | errno.ENODEV | errno.EPERM | errno.EACCES | errno.ENOTTY:
            return Unsupported(
                "--storage-opt size needs loop devices and ext4, which this machine does not give:"
                f" {error.filename or ''}: {error.strerror}"
            )
        case _:
            return KnarrError(f"mounting the container's disk: {error}")
