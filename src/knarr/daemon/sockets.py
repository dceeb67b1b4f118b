"""The sockets that the daemon listens on: its own, or those that systemd hands over."""

import contextlib
import grp
import os
import socket
from pathlib import Path
from typing import Final

from knarr.errors import Conflict, InvalidArgument

_FIRST_PASSED: Final = 3  # systemd's SD_LISTEN_FDS_START
_MODE: Final = 0o660
_GROUPS: Final = ("knarr", "docker")


def open_sockets(hosts: tuple[str, ...], group: str) -> list[socket.socket]:
    """A bound socket for each host, ``fd://`` standing for all that systemd passed."""
    opened: list[socket.socket] = []
    for host in hosts:
        scheme, _, address = host.partition("://")
        match scheme:
            case "unix":
                opened.append(_unix(Path(address), group))
            case "fd":
                opened.extend(_passed())
            case _:
                raise InvalidArgument(
                    f"cannot listen on {host!r}: knarr listens on unix://PATH or fd://"
                )
    return opened


def _unix(path: Path, group: str) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    if _answers(path):
        raise Conflict(f"another daemon already listens on {path}: stop it, or choose another -H")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o777 & ~_MODE)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    os.chown(path, 0, _group_id(group))
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _group_id(name: str) -> int:
    """The group that may use the socket; root's when none of the usual ones exists."""
    if name:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            raise InvalidArgument(f"no group {name!r} on this machine: create it") from None
    known = {entry.gr_name: entry.gr_gid for entry in grp.getgrall()}
    return next((known[each] for each in _GROUPS if each in known), 0)


def _passed() -> list[socket.socket]:
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise InvalidArgument("-H fd:// works only when systemd starts the daemon by its socket")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=_FIRST_PASSED + place) for place in range(count)]
