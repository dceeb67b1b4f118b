"""TCP connections to ``[::1]`` and a published port, carried to the container.

The kernel redirects all else; packets for ``::1`` it never lets out of the loopback link (of IPv4
it does: ``route_localnet``). So the sockets that hold the ports listen for these, and the daemon
carries the bytes. While it restarts, ``[::1]`` is silent and ``127.0.0.1`` works on.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_log = logging.getLogger("knarr.network")
_WAITING: Final = 128
_PIECE_BYTES: Final = 1 << 16
_CONNECT_SECONDS: Final = 10.0
_REST_SECONDS: Final = 1.0
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Target = tuple[str, int]


class Relays:
    """The doors that are open, each with the connections that came in by it."""

    def __init__(self, target: Callable[[int], Target | None]) -> None:
        """target: where a connection to ``[::1]`` and that port is to go now."""
        self._target = target
        self._doors: dict[int, socket.socket] = {}
        self._connections: dict[int, set[asyncio.Task[None]]] = {}

    def opened(self, number: int, sock: socket.socket) -> None:
        """Listen at a socket that is bound."""
        try:
            sock.setblocking(False)
            # Of the connections, not of the bind: what they leave behind must not keep the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.listen(_WAITING)
        except OSError as error:
            _log.info("[::1]:%d is not served: %s", number, error)
            return
        self._doors[number] = sock
        asyncio.get_running_loop().add_reader(sock.fileno(), self._accept, number, sock)

    def closing(self, number: int) -> None:
        """End its connections and listen no more. Content when it was not open."""
        if door := self._doors.pop(number, None):
            asyncio.get_running_loop().remove_reader(door.fileno())
        for task in self._connections.pop(number, ()):
            task.cancel()

    def _accept(self, number: int, door: socket.socket) -> None:
        try:
            client, _ = door.accept()
        except OSError as error:  # it went again, or there is nothing left to take it with
            if error.errno in _EXHAUSTED:
                self._rest(number, door)
            return
        client.setblocking(False)
        target = self._target(number)
        if target is None:  # the container left the network that the port led to
            client.close()
            return
        task = asyncio.get_running_loop().create_task(_carry(client, target))
        tasks = self._connections.setdefault(number, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def _rest(self, number: int, door: socket.socket) -> None:
        """Whoever waits at the door would wake us again and again."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(door.fileno())
        loop.call_later(_REST_SECONDS, self._look_again, number, door)

    def _look_again(self, number: int, door: socket.socket) -> None:
        if self._doors.get(number) is door:
            asyncio.get_running_loop().add_reader(door.fileno(), self._accept, number, door)


async def _carry(client: socket.socket, target: Target) -> None:
    family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    with client, suppress(OSError, TimeoutError), socket.socket(family, kind) as server:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(server, target)
        await asyncio.gather(_one_way(client, server), _one_way(server, client))


async def _one_way(source: socket.socket, sink: socket.socket) -> None:
    """Until the source has no more; the other way may go on."""
    loop = asyncio.get_running_loop()
    try:
        while piece := await loop.sock_recv(source, _PIECE_BYTES):
            await loop.sock_sendall(sink, piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, sink):  # broken: so the other way ends, too
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
