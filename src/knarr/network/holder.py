"""Which program has a port: for the sentence that says why it cannot be published."""

import os
from collections.abc import Iterator
from contextlib import suppress

_TCP_LISTEN = "0A"


def holder_of(protocol: str, port: int) -> str:
    """``held by nginx, process 812``; empty when it cannot be seen.

    Source: proc_pid_net(5): /proc/net/tcp; proc_pid_fd(5).
    """
    inodes = set(_inodes(protocol, port))
    if not inodes:
        return ""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):  # it ended meanwhile, or is not ours to look into
            if _has_one(pid, inodes):
                with open(f"/proc/{pid}/comm") as file:
                    return f"held by {file.read().strip()}, process {pid}"
    return ""


def _inodes(protocol: str, port: int) -> Iterator[str]:
    for version in ("", "6"):
        with suppress(OSError), open(f"/proc/net/{protocol}{version}") as table:
            next(table)
            for line in table:
                fields = line.split()
                local_port = int(fields[1].rpartition(":")[2], 16)
                if local_port == port and (protocol != "tcp" or fields[3] == _TCP_LISTEN):
                    yield fields[9]


def _has_one(pid: str, inodes: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    for entry in os.listdir(folder):
        with suppress(OSError):
            target = os.readlink(f"{folder}/{entry}")
            if target.startswith("socket:[") and target[8:-1] in inodes:
                return True
    return False
