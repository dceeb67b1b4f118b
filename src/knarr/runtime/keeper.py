"""The daemon's end of the keeper: start it, ask it, hear from it."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from knarr.errors import Conflict
from knarr.keeper.wire import Message
from knarr.runtime.bundle import limits_of, write_bundle, write_process
from knarr.runtime.connection import RuntimeFailed
from knarr.runtime.failures import start_failure
from knarr.runtime.filters import CompiledFilters
from knarr.runtime.groups import Groups
from knarr.runtime.link import key, running_of
from knarr.runtime.model import (
    ExecLaunch,
    Exit,
    Launch,
    LogPlace,
    Running,
)
from knarr.runtime.oci import OciRuntime, Place
from knarr.runtime.sandboxes import Sandboxes
from knarr.runtime.segments import Place as LogEnd
from knarr.spec.oci.runtime import Process

ATTACHED_PATIENCE_S: Final = 10.0  # seconds in which who is attached has to take something
# The runtimes look programs up in the container's PATH; this one is their own.
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class Keeper(Sandboxes, Groups):
    """Containers and execs: started, attached to, signalled, released."""

    def __init__(self, run_root: Path) -> None:
        Sandboxes.__init__(self, run_root)
        Groups.__init__(self)
        self._filters = CompiledFilters(self.run_root / "seccomp")

    def _met(self, running: Sequence[Running]) -> None:
        self._groups = {each.id: each.cgroup for each in running if each.exec_id is None}

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
                **key(container_id, exec_id),
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
        await self._ask("resize", {**key(container_id, exec_id), "rows": rows, "columns": columns})

    async def signal(self, container_id: str, number: int, exec_id: str | None = None) -> None:
        """Raises Conflict when nothing runs."""
        await self._ask("signal", {**key(container_id, exec_id), "number": number})

    async def release(self, container_id: str) -> None:
        """Forget a container that is not running: attached clients go, its run folder too."""
        await self._ask("release", {"container": container_id})
        self._groups.pop(container_id, None)

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
        running = running_of(reply.document)
        self._keep(running, reply)
        return running


def _log(log: LogPlace | None) -> list[str | int] | None:
    return None if log is None else [str(log.folder), log.max_bytes, log.max_files]
