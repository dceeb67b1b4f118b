"""Hears when other programs change the firewall: a flushed ruleset, a new chain that drops.

The kernel tells of every change; those of our own elements, the most frequent, are passed over by
their kind. Nothing is polled.
"""

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from knarr.kernel.nftables import NETLINK_NETFILTER, TELLING_KINDS

_NFTABLES_GROUP: Final = 7
_SETTLE_SECONDS: Final = 0.2  # other programs write several batches in a row
_HEADER: Final = struct.Struct("=IHHII")
_RECEIVE_BYTES: Final = 1 << 16


class RuleWatch:
    """Calls ``changed`` in the loop, a moment after the last of several changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            NETLINK_NETFILTER,
        )
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._socket.bind((0, 1 << (_NFTABLES_GROUP - 1)))
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        if self._timer:
            self._timer.cancel()

    def _read(self) -> None:
        try:
            message = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._settle()  # some were lost: anything may have changed
            return
        position = 0
        while position + _HEADER.size <= len(message):
            length, kind, _, _, _ = _HEADER.unpack_from(message, position)
            if kind in TELLING_KINDS:
                self._settle()
                return
            position += max(_HEADER.size, (length + 3) & ~3)

    def _settle(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_SETTLE_SECONDS, self._call)

    def _call(self) -> None:
        self._timer = None
        self._changed()
