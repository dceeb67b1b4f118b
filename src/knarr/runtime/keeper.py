"""The daemon's end of the keeper: start it, ask it, hear from it."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from knarr.errors import Conflict, KnarrError, NotFound, Unavailable
from knarr.keeper.wire import PROTOCOL, Message
from knarr.kernel.cgroups import Cgroup, Layout, Usage
from knarr.kernel.owners import Owners
from knarr.runtime.bundle import limits_of, write_bundle, write_process
from knarr.runtime.connection import Connection, Reply, RuntimeFailed, dial, start_keeper
from knarr.runtime.failures import start_failure
from knarr.runtime.filters import CompiledFilters
from knarr.runtime.model import (
    ExecLaunch,
    Exit,
    Launch,
    LogPlace,
    Running,
    Sandbox,
    UserNamespace,
)
from knarr.runtime.oci import OciRuntime, Place
from knarr.runtime.oom import shortages
from knarr.runtime.segments import Place as LogEnd
from knarr.spec.oci.runtime import Process, Resources

_BEGINNINGS: Final = {"start", "make_sandbox"}
ATTACHED_PATIENCE_S: Final = 10.0  # seconds in which who is attached has to take something
_FREEZE_STEP_SECONDS: Final = 0.001
_FREEZE_STEPS: Final = 5000
# The runtimes look programs up in the container's PATH; this one is their own.
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


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


_DIALS: Final = 20
_DIAL_SECONDS: Final = 0.005


class Keeper:
    """One connection, reconnected when it breaks; a keeper is started when there is none.

    Whoever iterates ``exits`` keeps the connection up: without anybody there, exits wait on disk.
    """

    def __init__(self, run_root: Path) -> None:
        self.run_root = run_root.absolute()
        self._filters = CompiledFilters(self.run_root / "seccomp")
        self.layout = Layout.of_this_machine()
        self.pid = 0  # the keeper's, once connected
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._exits: deque[tuple[int, Exit]] = deque()
        self._news = asyncio.Event()
        self._groups: dict[str, str] = {}
        self._awaited: dict[str, asyncio.Future[Exit]] = {}
        self._lifelines: dict[tuple[str, str | None], Lifeline] = {}

    # Connection.

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
        self._groups = {each.id: each.cgroup for each in running if each.exec_id is None}
        return connection, running

    async def _give_back(self, connection: Connection, orphan: Running) -> None:
        """A new keeper takes over a process of one that died, with what we kept of it."""
        lifeline = self._lifelines.get((orphan.id, orphan.exec_id), Lifeline())
        arguments = {**_key(orphan.id, orphan.exec_id), "lifeline": lifeline.document}
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

    # Containers.

    async def start(self, launch: Launch) -> Running:
        """Run a container. Raises StartFailed, with nothing left behind, or Conflict."""
        folder = self._folder(launch.id)
        linux, process = launch.spec.linux, launch.spec.process
        place = self._place(folder, launch.runtime, "runtime", process)
        state = place.state / launch.id
        spec, kept = self._filters.apply(launch.spec, launch.runtime, state)
        write_bundle(folder, spec, launch.runtime)
        group = self.layout.cgroup(linux.cgroups_path) if linux.cgroups_path else None
        enters = launch.runtime.enters and group is not None
        writes = group.writes(limits_of(linux.resources)) if group is not None and enters else ()
        running = await self._start(
            process,
            {
                **self._order(launch.runtime, folder, place, process, linux.cgroups_path),
                "container": launch.id,
                "argv": launch.runtime.run(launch.id, place),
                "open_stdin": launch.open_stdin,
                "stdin_once": launch.stdin_once,
                "log": _log(launch.log),
                "writes": writes,
                "leftovers": [str(state)],
                "kept": kept,
                "owner": launch.owner,
            },
        )
        self._groups[launch.id] = linux.cgroups_path
        return running

    async def run(self, launch: Launch) -> Exit:
        """Run a container to its end; that exit is not among ``exits``. Raises as ``start``."""
        ended = asyncio.get_running_loop().create_future()
        self._awaited[launch.id] = ended
        try:
            await self.start(launch)
            while not ended.done():
                # After a break the keeper tells again what we may have missed.
                connection = await self._connected()
                await asyncio.wait((ended, connection.lost), return_when=asyncio.FIRST_COMPLETED)
            result: Exit = ended.result()
            return result
        finally:
            del self._awaited[launch.id]

    async def exec(self, launch: ExecLaunch) -> Running:
        """Run a further process in a container. Raises StartFailed, or Conflict if it is over."""
        if launch.id not in self._groups:
            raise Conflict(f"container {launch.id} is not running")
        folder = self._folder(launch.id)
        place = self._place(folder, launch.runtime, f"exec-{launch.exec_id}", launch.process)
        document = folder / f"exec-{launch.exec_id}.process"
        write_process(document, launch.process)
        argv = launch.runtime.exec(launch.id, document, place)
        group = self._groups.get(launch.id, "")
        return await self._start(
            launch.process,
            {
                **self._order(launch.runtime, folder, place, launch.process, group),
                "container": launch.id,
                "exec": launch.exec_id,
                "argv": argv,
                "open_stdin": launch.open_stdin,
                "stdin_once": True,
                "log": None,
                "writes": [],
                "leftovers": [],
                "kept": [],
                "owner": launch.owner,
            },
        )

    async def attach(
        self,
        container_id: str,
        exec_id: str | None = None,
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        terminal: bool = False,
        patience_s: float | None = ATTACHED_PATIENCE_S,
    ) -> socket.socket:
        """A stream socket: output as Docker's frames (raw with a terminal), what is sent is input.

        Before the start too: then nothing is missed. Shutting the sending side ends the input, the
        other end closes when the process has ended. Non-blocking; the caller's own.

        One who falls behind by a MiB makes the process wait, as a pipe in a shell would, so that
        nothing is lost. patience_s: who takes nothing at all for so long is told so and cut off;
        None waits for ever.
        """
        attached, _ = await self.attach_here(
            container_id,
            exec_id,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            terminal=terminal,
            patience_s=patience_s,
        )
        return attached

    async def attach_here(
        self,
        container_id: str,
        exec_id: str | None = None,
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        terminal: bool = False,
        patience_s: float | None = ATTACHED_PATIENCE_S,
    ) -> tuple[socket.socket, LogEnd | None]:
        """The same, and the place in the log where what is sent begins; None without a log."""
        streams = [number for number, wanted in ((1, stdout), (2, stderr)) if wanted]
        answer, (descriptor,) = await self._ask(
            "attach",
            {
                **_key(container_id, exec_id),
                "streams": streams,
                "stdin": stdin,
                "framed": not terminal,
                "holds": patience_s is None,  # for a keeper of knarr 0.1
                "patience_s": patience_s,
            },
        )
        attached = socket.socket(fileno=descriptor)
        attached.setblocking(False)
        place = answer.get("log")
        return attached, None if place is None else LogEnd(*place)

    async def resize(
        self, container_id: str, exec_id: str | None = None, *, rows: int, columns: int
    ) -> None:
        """Raises Conflict when nothing runs, KnarrError without a terminal."""
        await self._ask("resize", {**_key(container_id, exec_id), "rows": rows, "columns": columns})

    async def signal(self, container_id: str, number: int, exec_id: str | None = None) -> None:
        """Raises Conflict when nothing runs."""
        await self._ask("signal", {**_key(container_id, exec_id), "number": number})

    async def release(self, container_id: str) -> None:
        """Forget a container that is not running: attached clients go, its run folder too."""
        await self._ask("release", {"container": container_id})
        self._groups.pop(container_id, None)

    # What its control group can do. No program is run for these, nor is the keeper asked.

    async def pause(self, container_id: str) -> None:
        """Freeze all processes; returns when they stand still. Raises NotFound without a group."""
        group = self._group(container_id)
        try:
            group.freeze()
            for _ in range(_FREEZE_STEPS):
                if group.frozen():
                    return
                await asyncio.sleep(_FREEZE_STEP_SECONDS)
            group.thaw()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error
        raise KnarrError(f"container {container_id} did not come to a standstill")

    async def resume(self, container_id: str) -> None:
        try:
            self._group(container_id).thaw()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error

    def usage(self, container_id: str) -> Usage:
        """What the container has used so far. Raises NotFound when it is not running."""
        try:
            return self._group(container_id).usage()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error

    def shortages(self, container_id: str) -> AsyncGenerator[None, None]:
        """Yields whenever it runs out of memory, until it has ended. Raises NotFound."""
        return shortages(self._group(container_id))

    def processes(self, container_id: str) -> tuple[int, ...]:
        """The PIDs, as the host sees them, of all that runs in the container."""
        try:
            return self._group(container_id).processes()
        except FileNotFoundError as error:
            raise NotFound(f"container {container_id} is not running") from error

    def update(self, container_id: str, resources: Resources) -> None:
        """Hold a running container to other limits. Raises KnarrError when one is refused."""
        group = self._group(container_id)
        try:
            group.apply(group.writes(limits_of(resources)))
        except OSError as error:
            raise KnarrError(f"Cannot update container {container_id}: {error}") from error

    # Network namespaces.

    async def make_sandbox(self, sandbox_id: str, owners: Owners | None = None) -> Sandbox:
        """A new network namespace with its loopback up. Raises Conflict if it is there already.

        owners: of the user namespace whose root shall rule in it; None for the host's.
        """
        arguments = {"sandbox": sandbox_id, "owners": _owners(owners)}
        return _sandbox(*await self._ask("make_sandbox", arguments))

    async def user_namespace(self, owners: Owners) -> UserNamespace:
        """The one user namespace of these owners; the descriptor is the caller's own."""
        reply = await self._ask("user_namespace", {"owners": _owners(owners)})
        return UserNamespace(reply.document["path"], reply.descriptors[0])

    async def user_namespace_path(self, owners: Owners) -> str:
        """The same for the OCI runtime to join; good as long as the keeper lives."""
        path, descriptor = await self.user_namespace(owners)
        os.close(descriptor)
        return path

    async def open_sandbox(self, sandbox_id: str) -> Sandbox:
        """Raises NotFound."""
        return _sandbox(*await self._ask("open_sandbox", {"sandbox": sandbox_id}))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Let go of the namespace; one that is gone is fine."""
        await self._ask("remove_sandbox", {"sandbox": sandbox_id})

    async def open_socket(
        self,
        sandbox_id: str,
        family: socket.AddressFamily,
        kind: socket.SocketKind,
        address: tuple[str, int],
    ) -> socket.socket:
        """A socket bound to ``address`` in the namespace; a stream socket listens already."""
        host, port = address
        arguments = {
            "sandbox": sandbox_id, "family": family, "type": kind, "address": host, "port": port,
        }  # fmt: skip
        _, (descriptor,) = await self._ask("open_socket", arguments)
        bound = socket.socket(fileno=descriptor)
        bound.setblocking(False)
        return bound

    async def open_netlink(self, sandbox_id: str, protocol: int) -> socket.socket:
        """A netlink socket of that protocol (``NETLINK_NETFILTER``) in the namespace."""
        arguments = {"sandbox": sandbox_id, "protocol": protocol}
        _, (descriptor,) = await self._ask("open_netlink", arguments)
        return socket.socket(fileno=descriptor)

    # The rest.

    def _folder(self, container_id: str) -> Path:
        return self.run_root / "containers" / container_id

    def _place(self, folder: Path, runtime: OciRuntime, stem: str, process: Process) -> Place:
        return Place(
            state=self.run_root / "runtime" / runtime.name,
            error_log=folder / f"{stem}.log",
            pid_file=folder / f"{stem}.pid",
            console=f"{stem}.tty" if process.terminal else "",
        )

    def _order(
        self, runtime: OciRuntime, folder: Path, place: Place, process: Process, group: str
    ) -> Message:
        size = process.console_size
        for stale in (place.error_log, place.pid_file, folder / (place.console or "none")):
            stale.unlink(missing_ok=True)
        return {
            "environment": _ENVIRONMENT,
            "directory": str(folder),
            "error_log": str(place.error_log),
            "pid_file": str(place.pid_file),
            "hidden": runtime.hidden,
            "console": place.console,
            "size": [size.height, size.width] if size is not None else None,
            "cgroup": group,
            "enters": runtime.enters and bool(group),
        }

    async def _start(self, process: Process, arguments: Message) -> Running:
        try:
            reply = await self._ask("start", arguments)
        except RuntimeFailed as failed:
            program = process.args[0] if process.args else ""
            raise start_failure(failed.log, program, further="exec" in arguments) from None
        running = _running(reply.document)
        self._keep(running, reply)
        return running

    def _group(self, container_id: str) -> Cgroup:
        if not (path := self._groups.get(container_id)):
            raise NotFound(f"container {container_id} is not running")
        return self.layout.cgroup(path)

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
                    census.alive.append(_running(reply.document))
                    self._keep(census.alive[-1], reply)
                case "orphan":
                    census.orphans.append(_running(reply.document))
                case "exit":
                    self._on_exit(reply.document["number"], _exit(reply.document))

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


def _key(container_id: str, exec_id: str | None) -> Message:
    return {"container": container_id, "exec": exec_id or ""}


def _owners(owners: Owners | None) -> Message | None:
    return None if owners is None else {"uids": owners.uids, "gids": owners.gids}


def _log(log: LogPlace | None) -> list[str | int] | None:
    return None if log is None else [str(log.folder), log.max_bytes, log.max_files]


def _running(document: Mapping[str, Any]) -> Running:
    return Running(
        id=document["container"],
        exec_id=document["exec"] or None,
        pid=document["pid"],
        started_ns=document["started_ns"],
        cgroup=document["cgroup"],
    )


def _exit(document: Mapping[str, Any]) -> Exit:
    return Exit(
        id=document["container"],
        exec_id=document["exec"] or None,
        code=document["code"],
        oom_killed=document["oom_killed"],
        finished_ns=document["finished_ns"],
    )


def _sandbox(document: Message, descriptors: tuple[int, ...]) -> Sandbox:
    (netlink,) = descriptors
    return Sandbox(document["path"], socket.socket(fileno=netlink))
