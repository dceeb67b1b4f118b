"""The connection to the keeper: met, broken, made again; exits, and what is held for it."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from knarr.errors import Unavailable
from knarr.keeper.wire import PROTOCOL, Message
from knarr.runtime.connection import Connection, KeeperEnded, Reply, dial, start_keeper
from knarr.runtime.model import Exit, Running

_BEGINNINGS: Final = {"start", "make_sandbox"}
_DIALS: Final = 20
_DIAL_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifeline:
    """Copies of descriptors of a process, held so that nothing breaks when its keeper dies."""

    document: Message = field(
        default_factory=lambda: {"handle": False, "streams": [], "terminal": False}
    )
    descriptors: tuple[int, ...] = ()

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Census:
    """What a keeper told of when we said hello."""

    alive: list[Running] = field(default_factory=list)
    orphans: list[Running] = field(default_factory=list)


class Link:
    """One connection, reconnected when it breaks; a keeper is started when there is none.

    Whoever iterates ``exits`` keeps the connection up: without anybody there, exits wait on disk.
    """

    def __init__(self, run_root: Path) -> None:
        self.run_root = run_root.absolute()
        self.pid = 0  # the keeper's, once connected
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._exits: deque[tuple[int, Exit]] = deque()
        self._news = asyncio.Event()
        self._awaited: dict[str, asyncio.Future[Exit]] = {}
        self._lifelines: dict[tuple[str, str | None], Lifeline] = {}

    def _met(self, running: Sequence[Running]) -> None:
        """What runs under the keeper that we are connected to from now on."""

    async def ensure(self) -> tuple[Running, ...]:
        """Connect to the keeper, starting one if there is none; what runs under it.

        Exits that happened meanwhile come from ``exits``. Raises Unavailable.
        """
        async with self._connecting:
            if self._connection is not None:
                self._connection.close()
            self._connection, running = await self._meet()
            return running

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None or not self._connection.open:
                self._connection, _ = await self._meet()
            return self._connection

    async def _meet(self) -> tuple[Connection, tuple[Running, ...]]:
        """One that is being killed may take a connection, and end before it answers."""
        for attempt in range(_DIALS):
            try:
                return await self._greeted()
            except KeeperEnded:
                await asyncio.sleep(_DIAL_SECONDS * attempt)
        return await self._greeted()

    async def _greeted(self) -> tuple[Connection, tuple[Running, ...]]:
        self._exits.clear()  # the keeper tells those again of which it does not know that we know
        census = _Census()
        connection = await self._connect(census)
        document, _ = await connection.ask("hello", {})
        if document["protocol"] != PROTOCOL:
            connection.close()
            raise Unavailable(
                f"the keeper of {self.run_root} (PID {document['pid']}) is of another version:"
                " stop its containers first"
            )
        self.pid = document["pid"]
        for orphan in census.orphans:
            await self._give_back(connection, orphan)
        running = (*census.alive, *census.orphans)
        self._met(running)
        return connection, running

    async def _give_back(self, connection: Connection, orphan: Running) -> None:
        """A new keeper takes over a process of one that died, with what we kept of it."""
        lifeline = self._lifelines.get((orphan.id, orphan.exec_id), Lifeline())
        arguments = {**key(orphan.id, orphan.exec_id), "lifeline": lifeline.document}
        await connection.ask("adopt", arguments, lifeline.descriptors)

    def _keep(self, running: Running, reply: Reply) -> None:
        """Hold what a process must not lose when its keeper dies."""
        self._let_go(running.id, running.exec_id)
        lifeline = Lifeline(document=reply.document["lifeline"], descriptors=reply.descriptors)
        self._lifelines[running.id, running.exec_id] = lifeline

    def _let_go(self, container_id: str, exec_id: str | None) -> None:
        if (lifeline := self._lifelines.pop((container_id, exec_id), None)) is not None:
            lifeline.close()

    def untold_exits(self) -> frozenset[str]:
        """The containers whose exits wait to be told by ``exits``."""
        return frozenset(exit_.id for _, exit_ in self._exits if exit_.exec_id is None)

    async def close(self) -> None:
        """Leave; the keeper goes on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for lifeline in self._lifelines.values():
            lifeline.close()
        self._lifelines.clear()

    async def end(self) -> None:
        """Ask the keeper to end. Raises Conflict while containers run."""
        await self._ask("end", {})
        await self.close()

    async def exits(self) -> AsyncIterator[Exit]:
        """Exits in the order they happened, for ever, over broken connections and new keepers.

        An exit counts as known once the next one is asked for: until then it is kept on disk, and
        told again after a crash of either side.
        """
        known = 0
        while True:
            while not self._exits:
                self._news.clear()
                await self._connected()
                if not self._exits:
                    await self._news.wait()
            number, exit_ = self._exits.popleft()
            if number > known:
                yield exit_
                known = number
            self._know(number)

    async def _ask(self, verb: str, arguments: Message) -> Reply:
        """The answer; asked again, once, if the keeper died before it could give one.

        Nothing that is asked for does harm when it was done already, except what begins something.
        """
        connection = await self._connected()
        try:
            return await connection.ask(verb, arguments)
        except Unavailable:
            if verb in _BEGINNINGS:
                raise
        connection = await self._connected()
        return await connection.ask(verb, arguments)

    async def _connect(self, census: _Census) -> Connection:
        def told(what: str, reply: Reply) -> None:
            match what:
                case "alive":
                    census.alive.append(running_of(reply.document))
                    self._keep(census.alive[-1], reply)
                case "orphan":
                    census.orphans.append(running_of(reply.document))
                case "exit":
                    self._on_exit(reply.document["number"], exit_of(reply.document))

        try:
            return Connection(dial(self.run_root), told, self._news.set)
        except (FileNotFoundError, ConnectionRefusedError):
            await start_keeper(self.run_root)
        for attempt in range(_DIALS):
            try:
                return Connection(dial(self.run_root), told, self._news.set)
            except OSError as error:
                # Somebody else's keeper has the folder already, and is about to listen.
                problem = error
                await asyncio.sleep(_DIAL_SECONDS * attempt)
        raise Unavailable(f"the keeper of {self.run_root} cannot be reached: {problem}")

    def _on_exit(self, number: int, exit_: Exit) -> None:
        self._let_go(exit_.id, exit_.exec_id)
        awaited = self._awaited.get(exit_.id) if exit_.exec_id is None else None
        if awaited is not None and not awaited.done():
            awaited.set_result(exit_)
            self._know(number)
        else:
            self._exits.append((number, exit_))
            self._news.set()

    def _know(self, number: int) -> None:
        if self._connection is not None:
            self._connection.post("know", {"number": number})


def key(container_id: str, exec_id: str | None) -> Message:
    return {"container": container_id, "exec": exec_id or ""}


def running_of(document: Mapping[str, Any]) -> Running:
    return Running(
        id=document["container"],
        exec_id=document["exec"] or None,
        pid=document["pid"],
        started_ns=document["started_ns"],
        cgroup=document["cgroup"],
    )


def exit_of(document: Mapping[str, Any]) -> Exit:
    return Exit(
        id=document["container"],
        exec_id=document["exec"] or None,
        code=document["code"],
        oom_killed=document["oom_killed"],
        finished_ns=document["finished_ns"],
    )
