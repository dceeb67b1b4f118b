"""Loop devices: a regular file as a block device, which a file system can be mounted from.

One file has one device at most: two would each have a cache of their own, and the file system on
them would be lost. A lock on the open file says so, since the device keeps that file open, whoever
made it.

Source: loop(4), flock(2).
"""

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

CONTROL: Final = "/dev/loop-control"
_SYS: Final = Path("/sys/block")
_GET_STATUS: Final = 0x4C05
_CONFIGURE: Final = 0x4C0A
_GET_FREE: Final = 0x4C82
_AUTOCLEAR: Final = 4
_DIRECT_IO: Final = 16

# lo_device, lo_inode, lo_rdevice, lo_offset, lo_sizelimit, lo_number, lo_encrypt_type,
# lo_encrypt_key_size, lo_flags, then names and keys
_INFO: Final = struct.Struct("=5Q4I176x")
_CONFIG: Final = struct.Struct("=II5Q4I176x64x")  # fd, block_size, then the same
_TAKEN: Final = (errno.EBUSY, errno.ENXIO)
_TRIES: Final = 64


def attach(file: int, block_bytes: int) -> int:
    """A descriptor of a free loop device, now on ``file``, a descriptor opened for writing.

    The device is let go with the last that has it open or mounted. Of several who want a free one
    at once, one gets it: the others ask again. Raises BlockingIOError where ``file`` has a device,
    else OSError.
    """
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    control = os.open(CONTROL, os.O_RDWR)
    try:
        for _ in range(_TRIES):
            device = os.open(f"/dev/loop{fcntl.ioctl(control, _GET_FREE)}", os.O_RDWR)
            try:
                _configure(device, file, block_bytes)
            except OSError as error:
                os.close(device)
                if error.errno not in _TAKEN:
                    raise
            else:
                return device
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "all loop devices are taken", CONTROL)


def attached(file: int) -> int | None:
    """A descriptor of the loop device that ``file`` has; None without one. It keeps the device."""
    for place in _SYS.glob("loop*/loop"):
        try:
            device = os.open(f"/dev/{place.parent.name}", os.O_RDWR)
        except OSError:
            continue
        if _is_on(device, file):
            return device
        os.close(device)
    return None


def path(device: int) -> str:
    """The device's own, which may not be one in /dev by another's name."""
    return os.readlink(f"/proc/self/fd/{device}")


def _configure(device: int, file: int, block_bytes: int) -> None:
    """Without the page cache of the file, where its file system can: the device has one already."""
    flags = _AUTOCLEAR | _DIRECT_IO
    fcntl.ioctl(device, _CONFIGURE, _CONFIG.pack(file, block_bytes, *[0] * 8, flags))


def _is_on(device: int, file: int) -> bool:
    there = os.fstat(file)
    try:
        answer = fcntl.ioctl(device, _GET_STATUS, bytes(_INFO.size))
    except OSError:
        return False  # let go in this moment
    on, inode, *_ = _INFO.unpack(answer)
    return (on, inode) == (_encoded(there.st_dev), there.st_ino)


def _encoded(device: int) -> int:
    """As the kernel writes a device number in this structure: huge_encode_dev()."""
    major, minor = os.major(device), os.minor(device)
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12
