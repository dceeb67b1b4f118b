"""One connection to the keeper, by messages; and how a keeper is started."""

import asyncio
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import knarr.keeper
from knarr.errors import Conflict, KnarrError, NotFound, Unavailable
from knarr.keeper.wire import Message, new_socket, receive, send

_PROGRAM: Final = Path(knarr.keeper.__file__).with_name("__main__.py")


class Reply(NamedTuple):
    """A document, and the descriptors that came with it, the receiver's own."""

    document: Message
    descriptors: tuple[int, ...]


OnTold = Callable[[str, Reply], None]  # what the keeper says by itself
OnLost = Callable[[], None]


class RuntimeFailed(KnarrError):
    """The runtime's own log of why a process did not start."""

    def __init__(self, log: str) -> None:
        super().__init__(log)
        self.log = log


class KeeperEnded(Unavailable):
    """It was there, and went before it could answer."""


class Connection:
    """Messages over one socket of the loop; answers find who asked by number."""

    def __init__(self, connection: socket.socket, told: OnTold, lost: OnLost) -> None:
        """``told`` hears what the keeper says by itself, ``lost`` that it is gone."""
        self._loop = asyncio.get_running_loop()
        self._socket, self._told, self._on_lost = connection, told, lost
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._waiting: deque[Reply] = deque()
        self._number = 0
        self.open = True
        connection.setblocking(False)
        self._loop.add_reader(connection, self._read)

    async def ask(self, verb: str, arguments: Message, descriptors: tuple[int, ...] = ()) -> Reply:
        """The answer. Raises by its meaning. ``descriptors`` are sent along, not closed."""
        answered: asyncio.Future[Reply] = self._loop.create_future()
        self._asked[self._put(verb, arguments, descriptors)] = answered
        return await answered

    def post(self, verb: str, arguments: Message) -> None:
        """Ask without waiting for the answer; on a broken connection that is for nothing."""
        if self.open:
            self._put(verb, arguments, ())

    def close(self) -> None:
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for answered in self._asked.values():
            if not answered.done():
                answered.set_exception(KeeperEnded("the keeper ended"))
        self._asked.clear()
        self.lost.set_result(None)
        self._on_lost()

    def _put(self, verb: str, arguments: Message, descriptors: tuple[int, ...]) -> int:
        if not self.open:
            raise KeeperEnded("the keeper ended")
        self._number += 1
        message = {"id": self._number, "verb": verb, "args": arguments}
        self._waiting.append(Reply(message, descriptors))
        self._flush()
        return self._number

    def _flush(self) -> None:
        while self._waiting:
            try:
                send(self._socket, *self._waiting[0])
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._flush)
                return
            except OSError:
                self._loop.call_soon(self.close)
                return
            self._waiting.popleft()
        self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        while self.open:
            try:
                received = receive(self._socket)
            except BlockingIOError:
                return
            except OSError:
                received = None
            if received is None:
                self.close()
                return
            self._dispatch(*received)

    def _dispatch(self, message: Message, descriptors: list[int]) -> None:
        if "tell" in message:
            self._told(message["tell"], Reply(message["args"], tuple(descriptors)))
            return
        answered = self._asked.pop(message["re"], None)
        if answered is None or answered.done():
            for descriptor in descriptors:
                os.close(descriptor)
        elif "error" in message:
            answered.set_exception(_meaning(message["error"]))
        else:
            answered.set_result(Reply(message["ok"], tuple(descriptors)))


def _meaning(error: Mapping[str, Any]) -> KnarrError:
    match error["kind"]:
        case "start":
            return RuntimeFailed(error["log"])
        case "not_running" | "running" | "busy" | "exists":
            return Conflict(error["message"])
        case "missing":
            return NotFound(error["message"])
        case _:
            return KnarrError(error["message"])


def dial(run_root: Path) -> socket.socket:
    """A connection to the keeper's socket; by a folder's descriptor, as paths may be too long."""
    connection = new_socket()
    folder = None
    try:
        folder = os.open(run_root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        connection.connect(f"/proc/self/fd/{folder}/keeper.sock")
    except OSError:
        connection.close()
        raise
    finally:
        if folder is not None:
            os.close(folder)
    return connection


async def start_keeper(run_root: Path) -> None:
    """Start one and wait until it can be connected to. Raises Unavailable with its reason.

    It leaves us at once, so what is waited for is a parent that ends right away.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.posix_spawn(  # noqa: ASYNC221 - vfork and exec, half a millisecond
            sys.executable,
            [sys.executable, "-SI", str(_PROGRAM), str(run_root)],
            {},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, theirs, 1),
                (os.POSIX_SPAWN_DUP2, theirs, 2),
            ],
        )
    finally:
        os.close(theirs)
    said: asyncio.Future[bytes] = loop.create_future()

    def on_output() -> None:
        loop.remove_reader(ours)
        said.set_result(os.read(ours, 65536))

    loop.add_reader(ours, on_output)
    try:
        text = (await said).decode(errors="replace").strip()
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it left a descendant and is over already
    if text.splitlines()[-1:] != ["ready"] and "another keeper" not in text:
        raise Unavailable(f"the keeper did not start: {text}")
