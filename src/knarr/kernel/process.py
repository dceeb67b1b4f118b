"""Processes by a handle that cannot come to mean another one: pidfds, and PID with start time."""

import ctypes
import fcntl
import os
import signal
import struct
from typing import Final

from knarr.kernel.libc import checked

_PR_SET_CHILD_SUBREAPER: Final = 36
_PIDFD_GET_INFO: Final = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes): struct pidfd_info as first made
_PIDFD_INFO_EXIT: Final = 1 << 3
_INFO_SIZE: Final = 64
_INFO_EXIT_CODE: Final = 60  # offset of exit_code in struct pidfd_info

_prctl = checked(
    "prctl", ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong
)


def become_subreaper() -> None:
    """Orphans below the caller become its own children: prctl(2), PR_SET_CHILD_SUBREAPER."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start_time(pid: int) -> int | None:
    """When ``pid`` started, in clock ticks since boot; None if there is no such process.

    With the PID it names one process for good. A zombie counts as gone.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold spaces and parentheses of its own.
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def open_process(pid: int, started: int | None = None) -> int | None:
    """A pidfd of ``pid``, provided it is the one which started at ``started`` ticks; else None."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if started is not None and start_time(pid) != started:
        os.close(handle)
        return None
    return handle


def send_signal(handle: int, number: int) -> None:
    """Signal a process by its pidfd. Raises ProcessLookupError when it is over."""
    signal.pidfd_send_signal(handle, number)


def exit_code_of(handle: int) -> int | None:
    """How a process behind a pidfd ended, as shells count it; None when the kernel does not tell.

    For those whose parent is somebody else. Linux 6.15 and newer remember it after the reaping.
    """
    request = bytearray(_INFO_SIZE)
    struct.pack_into("Q", request, 0, _PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(handle, _PIDFD_GET_INFO, request)
    except OSError:
        return None
    if not struct.unpack_from("Q", request)[0] & _PIDFD_INFO_EXIT:
        return None
    return exit_code(struct.unpack_from("i", request, _INFO_EXIT_CODE)[0])


def exit_code(status: int) -> int:
    """The exit code in a wait status: a program's own, or 128 and the signal that ended it."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
