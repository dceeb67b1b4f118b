"""Further processes in a running container: created, started once, remembered while it runs."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from knarr.container.documents import event_attributes
from knarr.container.health import OUTPUT_BYTES, Probed
from knarr.container.launch import Launcher
from knarr.container.model import Status
from knarr.container.registry import ContainerRegistry
from knarr.errors import Conflict, InvalidArgument, KnarrError, NotFound
from knarr.events import Event
from knarr.ids import ContainerId, ExecId, new_hex
from knarr.runtime import Exit, Keeper, StartFailed
from knarr.spec.docker.exec import ExecCreate, ExecInspect, ProcessConfig
from knarr.store import Database

_CANNOT_RUN: Final = 126  # the exit code of what is there and cannot be run


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """One exec. exit_code: None until it has ended. started: an exec is started only once."""

    id: ExecId
    container: ContainerId
    request: ExecCreate
    started: bool = False
    pid: int = 0
    exit_code: int | None = None

    @property
    def running(self) -> bool:
        return self.started and self.exit_code is None


class ExecService:
    """The execs of all running containers. They end with their container, and with the daemon."""

    def __init__(
        self, *, db: Database, registry: ContainerRegistry, launcher: Launcher, keeper: Keeper
    ) -> None:
        self._db = db
        self._registry = registry
        self._launcher = launcher
        self._keeper = keeper
        self._execs: dict[ExecId, Exec] = {}
        self._awaited: dict[ExecId, asyncio.Future[int]] = {}

    def create(self, ref: str, request: ExecCreate) -> ExecId:
        """Raises Conflict when the container does not run, InvalidArgument without a command."""
        container = self._registry.find(ref)
        if not request.cmd:
            raise InvalidArgument("No exec command specified")
        if container.status is Status.PAUSED:
            raise Conflict(
                f"Container {container.name} is paused, unpause the container before exec"
            )
        container.must_be_running()
        made = Exec(id=ExecId(new_hex()), container=container.id, request=request)
        self._execs[made.id] = made
        self._emit(made, f"exec_create: {' '.join(request.cmd)}")
        return made.id

    def find(self, exec_id: str) -> Exec:
        """By ID or by an ID's unique beginning."""
        if found := self._execs.get(ExecId(exec_id)):
            return found
        matching = [each for each in self._execs if each.startswith(exec_id)]
        if len(matching) != 1:
            raise NotFound(f"No such exec instance: {exec_id}")
        return self._execs[matching[0]]

    def of(self, container: ContainerId) -> tuple[str, ...]:
        """The execs of a container that inspect lists: those that still run."""
        return tuple(e.id for e in self._execs.values() if e.container == container and e.running)

    async def start_detached(self, exec_id: str) -> None:
        """Run it, and let it be. Raises KnarrError when its program cannot be started."""
        await self._run(self.claim(exec_id), ())

    async def start(
        self, made: Exec, *, framed: bool, terminal_size: Sequence[int] = ()
    ) -> socket.socket:
        """Run a claimed one; its streams are at the other end of the socket, from the first byte.

        Raises KnarrError when its program cannot be started; the exit code tells it too.
        """
        channel = await self._attached(made, framed=framed)
        try:
            await self._run(made, terminal_size)
        except BaseException:
            channel.close()
            raise
        return channel

    async def _attached(self, made: Exec, *, framed: bool) -> socket.socket:
        wanted = made.request
        return await self._keeper.attach(
            made.container,
            made.id,
            stdin=wanted.attach_stdin,
            stdout=wanted.attach_stdout,
            stderr=wanted.attach_stderr,
            terminal=not framed,
            patience_s=None,
        )

    async def probe(
        self, container: ContainerId, command: tuple[str, ...], seconds: float
    ) -> Probed:
        """Run a health check's command: its output and exit code, or None when it was killed."""
        exec_id = self.create(container, ExecCreate(cmd=command, attach_stdout=True))
        ended = self._awaited[exec_id] = asyncio.get_running_loop().create_future()
        output = bytearray()
        try:
            channel = await self._attached(self.claim(exec_id), framed=False)
            try:
                await self._run(self._execs[exec_id], ())  # whole, or it would run on unknown to us
                async with asyncio.timeout(seconds):
                    await _collect(channel, output)
                    return Probed(exit_code=await ended, output=bytes(output))
            except TimeoutError:
                with suppress(Conflict):
                    await self._keeper.signal(container, 9, exec_id)
                return Probed(exit_code=None, output=bytes(output))
            finally:
                channel.close()
        finally:
            self._awaited.pop(exec_id, None)

    async def ended(self, exec_id: str) -> None:
        """Return once its exit code is known: a client asks for it when the stream has ended."""
        if self.find(exec_id).running:
            ended = self._awaited.setdefault(
                ExecId(exec_id), asyncio.get_running_loop().create_future()
            )
            await asyncio.shield(ended)

    def claim(self, exec_id: str) -> Exec:
        """From now on it is started, once. Raises Conflict when it was, or its container ended."""
        made = self.find(exec_id)
        if made.started:
            state = "is already running" if made.running else "has already run"
            raise Conflict(f"exec {made.id} {state}")
        container = self._registry.find(made.container)
        container.must_be_running()
        claimed = replace(made, started=True)
        self._execs[made.id] = claimed
        return claimed

    async def _run(self, made: Exec, terminal_size: Sequence[int]) -> None:
        container = self._registry.find(made.container)
        self._emit(made, f"exec_start: {' '.join(made.request.cmd)}")
        size = tuple(terminal_size) or made.request.console_size or ()
        try:
            started = await self._launcher.launch_exec(container, made.id, made.request, size)
        except StartFailed as error:
            self._execs[made.id] = replace(made, exit_code=error.exit_code)
            raise
        except KnarrError as error:  # an unknown user, say: told where a missing program is told
            self._execs[made.id] = replace(made, exit_code=_CANNOT_RUN)
            raise StartFailed(str(error), _CANNOT_RUN) from error
        if (current := self._execs.get(made.id)) is not None:
            self._execs[made.id] = replace(current, pid=started.pid)

    async def resize(self, exec_id: str, *, rows: int, columns: int) -> None:
        made = self.find(exec_id)
        if not made.running:
            raise Conflict(f"exec {made.id} is not running")
        await self._keeper.resize(made.container, made.id, rows=rows, columns=columns)

    def inspect(self, exec_id: str) -> ExecInspect:
        made = self.find(exec_id)
        wanted = made.request
        return ExecInspect(
            can_remove=not made.running,
            detach_keys=wanted.detach_keys,
            id=made.id,
            running=made.running,
            exit_code=made.exit_code,
            process_config=ProcessConfig(
                privileged=wanted.privileged,
                user=wanted.user,
                tty=wanted.tty,
                entrypoint=wanted.cmd[0],
                arguments=wanted.cmd[1:],
            ),
            open_stdin=wanted.attach_stdin,
            open_stderr=wanted.attach_stderr,
            open_stdout=wanted.attach_stdout,
            container_id=made.container,
            pid=made.pid,
        )

    def exited(self, exit_: Exit) -> None:
        """What the keeper tells of an exec's end."""
        made = self._execs.get(ExecId(exit_.exec_id or ""))
        if made is None:
            return
        self._execs[made.id] = replace(made, exit_code=exit_.code)
        if (awaited := self._awaited.pop(made.id, None)) is not None and not awaited.done():
            awaited.set_result(exit_.code)
        self._emit(made, "exec_die", exitCode=str(exit_.code))

    def forget_all(self, container: ContainerId) -> None:
        """The container has ended or is gone, and its execs with it."""
        for each in [e.id for e in self._execs.values() if e.container == container]:
            del self._execs[each]

    def tell(self, exec_id: str, action: str) -> None:
        self._emit(self.find(exec_id), action)

    def _emit(self, made: Exec, action: str, **attributes: str) -> None:
        container = self._registry.get(made.container)
        if container is None:
            return
        with self._db.transaction() as tx:
            tx.emit(
                Event(
                    type="container",
                    action=action,
                    actor=container.id,
                    attributes={**event_attributes(container), "execID": made.id, **attributes},
                )
            )


async def _collect(channel: socket.socket, output: bytearray) -> None:
    """Read to the end; what is beyond the size that is kept is read and dropped."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(channel, 65536):
        if len(output) <= OUTPUT_BYTES:
            output += data
