"""The verbs of containers. Each holds the container, decides, acts, records and tells."""

import asyncio
import dataclasses
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from msgspec.structs import replace

from knarr.container import filters, limits
from knarr.container.connections import connected, disconnected
from knarr.container.creation import Creator
from knarr.container.exec import ExecService
from knarr.container.facts import block_device_numbers
from knarr.container.health import on_failure
from knarr.container.journal import Journal
from knarr.container.launch import Launcher
from knarr.container.lifecycle import Lifecycle
from knarr.container.links import Link, linking_by_name
from knarr.container.logs.sending import LogSender
from knarr.container.machine import Machine
from knarr.container.model import Container, Status
from knarr.container.names import checked_name
from knarr.container.shortage import ShortageWatch
from knarr.container.signals import signal_number
from knarr.container.steps import StepRunner
from knarr.container.supervision import Supervisor
from knarr.container.turns import TurnWatch
from knarr.container.updating import updated
from knarr.container.waiting import Condition, Ended, Waiters
from knarr.container.watching import HealthWatch
from knarr.errors import Conflict, InvalidArgument, KnarrError, NotFound, NotModified
from knarr.events import Event
from knarr.network import EndpointRequest, NetworkService, Turn
from knarr.runtime import Keeper
from knarr.runtime.keeper import ATTACHED_PATIENCE_S
from knarr.runtime.segments import Place
from knarr.spec.docker.container import (
    ContainerCreate,
    ContainerCreated,
    ContainersPruned,
    ContainerUpdate,
    ContainerUpdated,
    EndpointSettings,
)

_GRACE_SECONDS: Final = 10  # between a stop signal and SIGKILL, unless somebody says otherwise
_KILL_SECONDS: Final = 10  # that a killed process may take to be gone


class ContainerService:
    """Containers from creation to removal."""

    def __init__(
        self,
        *,
        journal: Journal,
        creator: Creator,
        launcher: Launcher,
        keeper: Keeper,
        execs: ExecService,
        steps: StepRunner,
        networks: NetworkService,
        machine: Machine,
        logs: LogSender,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.machine = machine
        self._journal = journal
        self._registry = journal.registry
        self._creator = creator
        self._launcher = launcher
        self._keeper = keeper
        self._networks = networks
        self._waiters = Waiters()
        self._health = HealthWatch(execs, tasks)
        self._turns = TurnWatch(networks, tasks)
        self._shortage = ShortageWatch(keeper, journal, tasks)
        self._lifecycle = Lifecycle(
            journal=journal,
            launcher=launcher,
            waiters=self._waiters,
            health=self._health,
            shortage=self._shortage,
            turns=self._turns,
            logs=logs,
        )
        self.supervisor = Supervisor(
            journal=journal,
            lifecycle=self._lifecycle,
            launcher=launcher,
            keeper=keeper,
            execs=execs,
            steps=steps,
            waiters=self._waiters,
            health=self._health,
            shortage=self._shortage,
            turns=self._turns,
            tasks=tasks,
            on_unhealthy=self._act_on_failure,
        )

    def close(self) -> None:
        """The daemon ends: nobody is watched any more; all containers go on."""
        for watch in (self._health, self._shortage, self._turns):
            watch.close()

    # Changing

    async def create(
        self, body: ContainerCreate, name: str = "", *, platform: str = ""
    ) -> ContainerCreated:
        """Make a container from an image; nothing runs yet."""
        if name:
            name = checked_name(name)
            self._registry.check_name_is_free(name)
        container, warnings = await self._creator.create(body, name, platform)
        return ContainerCreated(id=container.id, warnings=warnings)

    async def start(self, ref: str, *, detach_keys: str = "") -> None:
        """Run the container's process. On any failure nothing of it is left behind."""
        async with self._journal.held(ref) as before:
            self.supervisor.starts_anew(before.id)
            await self._lifecycle.start(before.startable(detach_keys))

    async def stop(self, ref: str, *, grace: int | None = None, signal: str = "") -> None:
        """Ask it to end, and kill it when it has not within ``grace`` seconds (-1: wait for ever).

        Raises NotModified when it does not run.
        """
        container = self._registry.find(ref)
        if container.status is Status.RESTARTING:
            await self.supervisor.give_up_restarting(container)
            return
        if not container.alive:
            raise NotModified(f"container {container.name} is not running")
        config = container.record.config
        number = signal_number(signal or config.stop_signal or "SIGTERM")
        if grace is None:
            grace = config.stop_timeout if config.stop_timeout is not None else _GRACE_SECONDS
        await self._networks.take_turns(container.id, Turn.DRAINING)
        ended = self._waiters.add(container.id, Condition.NEXT_EXIT)
        await self._signal(container, number)
        if not await _within(ended, None if grace < 0 else grace):
            await self._signal(container, 9)
            if not await _within(ended, _KILL_SECONDS):
                raise KnarrError(f"container {container.name} did not end even when killed")
        self._journal.tell(self._registry.get(container.id) or container, "stop")

    async def kill(self, ref: str, signal: str = "") -> None:
        """Send a signal; with SIGKILL, return once the process is gone."""
        try:
            container = self._registry.find(ref)
        except NotFound as error:
            raise NotFound(f"cannot kill container: {ref}: {error}") from None
        number = signal_number(signal or "SIGKILL")
        if not container.alive:
            raise Conflict(f"cannot kill container: {ref}: container {container.id} is not running")
        ended = self._waiters.add(container.id, Condition.NEXT_EXIT)
        await self._signal(container, number)
        if number == 9:
            await _within(ended, _KILL_SECONDS)
        else:
            self._waiters.forget(container.id, ended)

    async def _signal(self, container: Container, number: int) -> None:
        """Send it, remembering when it is one that a person ends a container with."""
        async with self._journal.held(container.id) as current:
            if not current.alive:
                return
            config = current.record.config
            final = number in (9, 15, signal_number(config.stop_signal or "SIGTERM"))
            after = current.user_stops() if final else current
            with suppress(Conflict):  # it ended this moment, perhaps by the signal before
                await self._keeper.signal(container.id, number)
            if current.status is Status.PAUSED and final:
                await self._keeper.resume(container.id)
            self._journal.record(after, ("kill", {"signal": str(number)}))

    async def restart(self, ref: str, *, grace: int | None = None, signal: str = "") -> None:
        with suppress(NotModified):
            await self.stop(ref, grace=grace, signal=signal)
        await self.start(ref)
        self._journal.tell(self._registry.find(ref), "restart")

    async def pause(self, ref: str) -> None:
        """Freeze all processes of the container."""
        async with self._journal.held(ref) as before:
            after = before.paused()
            self._health.end(before.id)
            await self._keeper.pause(before.id)
            await self._turns.pause(before)
            self._journal.record(after, ("pause", {}))

    async def unpause(self, ref: str) -> None:
        async with self._journal.held(ref) as before:
            after = before.unpaused()
            await self._keeper.resume(before.id)
            self._journal.record(after, ("unpause", {}))
            self._health.begin(after)
            await self._turns.begin(after)

    async def drain(self, ref: str, *, seconds: float) -> int:
        """Let others have new connections of the ports that it shares; see TurnWatch.drain."""
        container = self._registry.find(ref)
        container.must_be_running()
        return await self._turns.drain(container, seconds)

    async def admit(self, ref: str) -> None:
        """Take ``drain`` back."""
        container = self._registry.find(ref)
        container.must_be_running()
        await self._turns.admit(container)

    async def rename(self, ref: str, name: str) -> None:
        if not name:
            raise InvalidArgument("Neither old nor new names may be empty")
        async with self._journal.held(ref) as before:
            name = self._registry.new_name(before.name, name)
            after = self._creator.renamed(before, name)
            self._journal.record_document(after, ("rename", {"oldName": f"/{before.name}"}))
            await self._networks.rename(after.id, name)
        for linking in linking_by_name(self._registry, before.name):
            await self._link_follows(linking, before.name, name)

    async def _link_follows(self, ref: str, old: str, new: str) -> None:
        """A legacy link means the container, however that is called."""
        with suppress(NotFound):
            async with self._journal.held(ref) as before:
                host = before.record.host
                links = tuple(Link.parse(each).renamed(old, new) for each in host.links)
                record = replace(before.record, host=replace(host, links=links))
                self._journal.record_document(dataclasses.replace(before, record=record))

    async def unlink(self, ref: str, alias: str) -> None:
        """Forget a legacy link; what runs keeps it until its next start. Raises NotFound."""
        async with self._journal.held(ref) as before:
            host = before.record.host
            kept = tuple(each for each in host.links if Link.parse(each).alias != alias)
            if kept == host.links:
                raise NotFound(f"No such link: {before.name}/{alias}")
            record = replace(before.record, host=replace(host, links=kept))
            self._journal.record_document(dataclasses.replace(before, record=record))

    async def update(self, ref: str, body: ContainerUpdate) -> ContainerUpdated:
        """Other limits, another restart policy; of a running container at once.

        What the client does not name stays as it is.
        """
        async with self._journal.held(ref) as before:
            host, warnings = updated(before.record.host, body, self.machine, before.id)
            after = dataclasses.replace(before, record=replace(before.record, host=host))
            if before.alive:
                numbers = block_device_numbers(limits.block_devices(host))
                self._keeper.update(before.id, limits.cgroup_resources(host, (), numbers))
            self._journal.record_document(after, ("update", {}))
        return ContainerUpdated(warnings=warnings)

    async def connect(self, ref: str, network: str, settings: EndpointSettings) -> None:
        """Put it on one more network: at once if it runs, else from its next start."""
        found = self._networks.resolve(network)
        async with self._journal.held(ref) as before:
            after = connected(before, found, settings)
            if before.alive:
                await self._launcher.connect(before, found.id, settings)
            else:
                self._networks.check([EndpointRequest(network=found.id, settings=settings)])
            self._journal.record_document(after)

    async def disconnect(self, ref: str, network: str, *, force: bool = False) -> None:
        """Take it off a network; with ``force``, a container that is gone is fine."""
        found = self._networks.resolve(network)
        try:
            async with self._journal.held(ref) as before:
                after = disconnected(before, found)
                if before.alive:
                    await self._launcher.disconnect(before, found.id)
                self._journal.record_document(after)
        except NotFound:
            if not force:
                raise

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove the container, with ``volumes`` its anonymous volumes too."""
        container = self._registry.find(ref)
        if container.status is Status.REMOVING:
            raise Conflict(f"removal of container {ref} is already in progress")
        if container.status is Status.RESTARTING:
            if not force:
                raise Conflict(
                    f'cannot remove container "{container.name}": container is restarting: stop'
                    " the container before removing or force remove"
                )
            await self.supervisor.give_up_restarting(container)
        if container.alive:
            if not force:
                state = "paused" if container.status is Status.PAUSED else "running"
                advice = (
                    "unpause and then stop the container before removing or force remove"
                    if state == "paused"
                    else "stop the container before removing or force remove"
                )
                raise Conflict(
                    f'cannot remove container "{container.name}": container is {state}: {advice}'
                )
            with suppress(Conflict):
                await self.kill(container.id)
        try:
            async with self._journal.held(container.id) as before:
                if before.alive:
                    raise KnarrError(
                        f"cannot remove container {container.name}: it does not end when killed"
                    )
                await self._lifecycle.remove(before, volumes=volumes)
        except NotFound:
            pass  # an --rm container removes itself when its process ends

    async def prune(self, wanted: filters.Filters) -> ContainersPruned:
        """Remove all that do not run and that the filters ``until`` and ``label`` let through."""
        removed: list[str] = []
        reclaimed = 0
        for container in list(self._registry):
            idle = container.status in (Status.CREATED, Status.EXITED, Status.DEAD)
            if not idle or not filters.prunable(container, wanted, time.time_ns()):
                continue
            size = await self._launcher.written_bytes(container)
            with suppress(NotFound, Conflict):
                await self.remove(container.id)
                removed.append(container.id)
                reclaimed += size
        told = {"reclaimed": str(reclaimed)}
        self._journal.emit(Event(type="container", action="prune", actor="", attributes=told))
        return ContainersPruned(containers_deleted=tuple(removed), space_reclaimed=reclaimed)

    async def _act_on_failure(self, container: Container) -> None:
        """``--health-on-failure``, as podman has it."""
        with suppress(KnarrError):
            match on_failure(container.record.host.annotations):
                case "kill":
                    await self.kill(container.id)
                case "stop":
                    await self.stop(container.id)
                case "restart":
                    await self.restart(container.id)

    # Its streams

    async def attach(
        self, ref: str, *, stdin: bool, stdout: bool, stderr: bool, framed: bool
    ) -> tuple[socket.socket, Place | None]:
        """The keeper's end of its streams, before the start too: then nothing is missed.

        The place is where in the log they begin. framed: by stream, where there is no terminal.
        Who is there before the process is its terminal or pipe, for which it waits as long as it
        takes, as in ``docker run … | less``. Who comes later has to take something now and then.
        """
        container = self._registry.find(ref)
        if container.status is Status.PAUSED:
            raise Conflict(
                f"container {container.id} is paused, unpause the container before attach"
            )
        async with AsyncExitStack() as lock:
            if not container.alive:
                # What clears its last run away takes the streams of that run: wait until it did.
                container = await lock.enter_async_context(self._journal.held(container.id))
            attached = await self._keeper.attach_here(
                container.id,
                stdin=stdin and container.record.config.open_stdin,
                stdout=stdout,
                stderr=stderr,
                terminal=container.record.config.tty or not framed,
                patience_s=ATTACHED_PATIENCE_S if container.alive else None,
            )
        self._journal.tell(container, "attach")
        return attached

    async def resize(self, ref: str, *, rows: int, columns: int) -> None:
        """Tell a running container's terminal its size, in characters."""
        container = self._registry.find(ref)
        container.must_be_running()
        await self._keeper.resize(container.id, rows=rows, columns=columns)
        self._journal.tell(container, "resize", height=str(rows), width=str(columns))

    def tell(self, ref: str, action: str) -> None:
        """An event that changes nothing, of a container that may be gone."""
        if (container := self._registry.get(ref)) is not None:
            self._journal.tell(container, action)

    # Waiting

    @asynccontextmanager
    async def waiting(
        self, ref: str, condition: Condition
    ) -> AsyncIterator["asyncio.Future[Ended]"]:
        """A future of how it ends; already there where the condition holds already."""
        container = self._registry.find(ref)
        future = self._waiters.add(container.id, condition)
        if condition is Condition.NOT_RUNNING and not container.alive:
            future.set_result(Ended(exit_code=container.state.exit_code))
        try:
            yield future
        finally:
            self._waiters.forget(container.id, future)


async def _within(ended: "asyncio.Future[Ended]", seconds: float | None) -> bool:
    """Whether it ended in time; the future lives on when it did not."""
    await asyncio.wait({ended}, timeout=seconds)
    return ended.done()
