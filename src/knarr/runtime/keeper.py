"""The daemon's end of the keeper: start it, ask it, hear from it."""

import asyncio
import os
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import knarr.keeper
from knarr.errors import Conflict, KnarrError, NotFound, Unavailable
from knarr.keeper.wire import PROTOCOL, Message, new_socket, receive, send
from knarr.kernel.cgroups import Cgroup, Layout, Usage
from knarr.runtime.bundle import limits_of, write_bundle, write_process
from knarr.runtime.failures import start_failure
from knarr.runtime.model import (
    ExecLaunch,
    Exit,
    Launch,
    LogPlace,
    Running,
    Sandbox,
)
from knarr.runtime.oci import OciRuntime, Place
from knarr.spec.oci.runtime import Process, Resources

_PROGRAM: Final = Path(knarr.keeper.__file__).with_name("__main__.py")
_FREEZE_STEP_SECONDS: Final = 0.001
_FREEZE_STEPS: Final = 5000
# The runtimes look programs up in the container's PATH; this one is their own.
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class Keeper:
    """One connection, reconnected when it breaks; a keeper is started when there is none.

    Whoever iterates ``exits`` keeps the connection up: without anybody there, exits wait on disk.
    """

    def __init__(self, run_root: Path) -> None:
        self._run_root = run_root.absolute()
        self._layout = Layout.of_this_machine()
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._exits: deque[tuple[int, Exit]] = deque()
        self._news = asyncio.Event()
        self._groups: dict[str, str] = {}

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

    async def _connected(self) -> "_Connection":
        async with self._connecting:
            if self._connection is None or not self._connection.open:
                self._connection, _ = await self._meet()
            return self._connection

    async def _meet(self) -> "tuple[_Connection, tuple[Running, ...]]":
        self._exits.clear()  # the keeper tells those again of which it does not know that we know
        running: list[Running] = []
        connection = await self._connect(running)
        answer, _ = await connection.ask("hello", {})
        if answer["protocol"] != PROTOCOL:
            connection.close()
            raise Unavailable(
                f"the keeper of {self._run_root} (PID {answer['pid']}) is of another version:"
                " stop its containers first"
            )
        self._groups = {each.id: each.cgroup for each in running if each.exec_id is None}
        return connection, tuple(running)

    async def close(self) -> None:
        """Leave; the keeper goes on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

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
            if self._connection is not None:
                self._connection.post("know", {"number": number})

    # Containers.

    async def start(self, launch: Launch) -> Running:
        """Run a container. Raises StartFailed, with nothing left behind, or Conflict."""
        folder = self._folder(launch.id)
        write_bundle(folder, launch.spec, launch.runtime)
        linux, process = launch.spec.linux, launch.spec.process
        place = self._place(folder, launch.runtime, "runtime")
        group = self._layout.cgroup(linux.cgroups_path) if linux.cgroups_path else None
        enters = launch.runtime.enters and group is not None
        writes = group.writes(limits_of(linux.resources)) if group is not None and enters else ()
        running = await self._start(
            process,
            {
                **self._order(launch.runtime, folder, place, process, linux.cgroups_path),
                "container": launch.id,
                "argv": launch.runtime.run(launch.id, place, terminal=process.terminal),
                "open_stdin": launch.open_stdin,
                "stdin_once": launch.stdin_once,
                "log": _log(launch.log),
                "writes": writes,
                "leftovers": [str(place.state / launch.id)],
            },
        )
        self._groups[launch.id] = linux.cgroups_path
        return running

    async def exec(self, launch: ExecLaunch) -> Running:
        """Run a further process in a container. Raises StartFailed, or Conflict if it is over."""
        folder = self._folder(launch.id)
        place = self._place(folder, launch.runtime, f"exec-{launch.exec_id}")
        document = folder / f"exec-{launch.exec_id}.process"
        write_process(document, launch.process)
        argv = launch.runtime.exec(launch.id, document, place, terminal=launch.process.terminal)
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
        holds: bool = False,
    ) -> socket.socket:
        """A stream socket: output as Docker's frames (raw with a terminal), what is sent is input.

        Before the start too: then nothing is missed. Shutting the sending side ends the input, the
        other end closes when the process has ended. Non-blocking; the caller's own.

        holds: a client that does not read makes the process wait, as a pipe in a shell would; so
        nothing is lost. Without it, one that falls behind by a MiB is told so and cut off.
        """
        streams = [number for number, wanted in ((1, stdout), (2, stderr)) if wanted]
        _, (descriptor,) = await self._ask(
            "attach",
            {
                **_key(container_id, exec_id),
                "streams": streams,
                "stdin": stdin,
                "framed": not terminal,
                "holds": holds,
            },
        )
        attached = socket.socket(fileno=descriptor)
        attached.setblocking(False)
        return attached

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

    async def make_sandbox(self, sandbox_id: str) -> Sandbox:
        """A new network namespace with its loopback up. Raises Conflict if it is there already."""
        return _sandbox(*await self._ask("make_sandbox", {"sandbox": sandbox_id}))

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

    # The rest.

    def _folder(self, container_id: str) -> Path:
        return self._run_root / "containers" / container_id

    def _place(self, folder: Path, runtime: OciRuntime, stem: str) -> Place:
        return Place(
            state=self._run_root / "runtime" / runtime.name,
            error_log=folder / f"{stem}.log",
            pid_file=folder / f"{stem}.pid",
            console="../../console.sock",
        )

    def _order(
        self, runtime: OciRuntime, folder: Path, place: Place, process: Process, group: str
    ) -> Message:
        size = process.console_size
        for stale in (place.error_log, place.pid_file):
            stale.unlink(missing_ok=True)
        return {
            "environment": _ENVIRONMENT,
            "directory": str(folder),
            "error_log": str(place.error_log),
            "pid_file": str(place.pid_file),
            "hidden": runtime.hidden,
            "terminal": process.terminal,
            "size": [size.height, size.width] if size is not None else None,
            "cgroup": group,
            "enters": runtime.enters and bool(group),
        }

    async def _start(self, process: Process, arguments: Message) -> Running:
        try:
            answer, _ = await self._ask("start", arguments)
        except _RuntimeFailed as failed:
            program = process.args[0] if process.args else ""
            raise start_failure(failed.log, program, further="exec" in arguments) from None
        return _running(answer)

    def _group(self, container_id: str) -> Cgroup:
        if not (path := self._groups.get(container_id)):
            raise NotFound(f"container {container_id} is not running")
        return self._layout.cgroup(path)

    async def _ask(self, verb: str, arguments: Message) -> tuple[Message, list[int]]:
        connection = await self._connected()
        return await connection.ask(verb, arguments)

    async def _connect(self, running: list[Running]) -> "_Connection":
        def told(what: str, arguments: Mapping[str, Any]) -> None:
            if what == "alive":
                running.append(_running(arguments))
            elif what == "exit":
                self._exits.append((arguments["number"], _exit(arguments)))
                self._news.set()

        try:
            return _Connection(_dial(self._run_root), told, self._news.set)
        except (FileNotFoundError, ConnectionRefusedError):
            await _start_keeper(self._run_root)
        try:
            return _Connection(_dial(self._run_root), told, self._news.set)
        except OSError as error:
            raise Unavailable(
                f"the keeper of {self._run_root} cannot be reached: {error}"
            ) from error


class _RuntimeFailed(KnarrError):
    """The runtime's own log of why a process did not start."""

    def __init__(self, log: str) -> None:
        super().__init__(log)
        self.log = log


class _Connection:
    """Messages over one socket of the loop; answers find who asked by number."""

    def __init__(self, connection: socket.socket, told: Any, lost: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket, self._told, self._lost = connection, told, lost
        self._asked: dict[int, asyncio.Future[tuple[Message, list[int]]]] = {}
        self._waiting: deque[Message] = deque()
        self._number = 0
        self.open = True
        connection.setblocking(False)
        self._loop.add_reader(connection, self._read)

    async def ask(self, verb: str, arguments: Message) -> tuple[Message, list[int]]:
        """The answer, and the descriptors that came with it. Raises by the answer's meaning."""
        answered = self._loop.create_future()
        self._asked[self._put(verb, arguments)] = answered
        result: tuple[Message, list[int]] = await answered
        return result

    def post(self, verb: str, arguments: Message) -> None:
        """Ask without waiting for the answer."""
        self._put(verb, arguments)

    def close(self) -> None:
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for answered in self._asked.values():
            if not answered.done():
                answered.set_exception(Unavailable("the keeper ended"))
        self._asked.clear()
        self._lost()

    def _put(self, verb: str, arguments: Message) -> int:
        if not self.open:
            raise Unavailable("the keeper ended")
        self._number += 1
        self._waiting.append({"id": self._number, "verb": verb, "args": arguments})
        self._flush()
        return self._number

    def _flush(self) -> None:
        while self._waiting:
            try:
                send(self._socket, self._waiting[0])
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
            self._told(message["tell"], message["args"])
            return
        answered = self._asked.pop(message["re"], None)
        if answered is None or answered.done():
            for descriptor in descriptors:
                os.close(descriptor)
        elif "error" in message:
            answered.set_exception(_meaning(message["error"]))
        else:
            answered.set_result((message["ok"], descriptors))


def _meaning(error: Mapping[str, Any]) -> KnarrError:
    match error["kind"]:
        case "start":
            return _RuntimeFailed(error["log"])
        case "not_running" | "running" | "busy" | "exists":
            return Conflict(error["message"])
        case "missing":
            return NotFound(error["message"])
        case _:
            return KnarrError(error["message"])


def _dial(run_root: Path) -> socket.socket:
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


async def _start_keeper(run_root: Path) -> None:
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


def _key(container_id: str, exec_id: str | None) -> Message:
    return {"container": container_id, "exec": exec_id or ""}


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


def _sandbox(document: Message, descriptors: list[int]) -> Sandbox:
    (netlink,) = descriptors
    return Sandbox(document["path"], socket.socket(fileno=netlink))
