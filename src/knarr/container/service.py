"""The verbs of containers. Each holds the container, decides, acts, records and tells."""

import asyncio
import logging
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from knarr.container import documents, filters, rows
from knarr.container.connections import connected, disconnected
from knarr.container.creation import Creator
from knarr.container.documents import Surroundings, event_attributes
from knarr.container.exec import ExecService
from knarr.container.health import UNHEALTHY, on_failure
from knarr.container.launch import Launcher
from knarr.container.machine import Machine
from knarr.container.model import Container, Status
from knarr.container.names import checked_name
from knarr.container.registry import ContainerRegistry
from knarr.container.restart import next_delay_ms, restarts, starts_with_the_daemon
from knarr.container.signals import signal_number
from knarr.container.usage import UsageReader
from knarr.container.waiting import Condition, Ended, Waiters
from knarr.container.watching import HealthWatch
from knarr.errors import Conflict, InvalidArgument, KnarrError, NotFound, NotModified
from knarr.events import Event
from knarr.ids import ContainerId
from knarr.network import EndpointRequest, NetworkService
from knarr.runtime import Exit, Keeper, Running, StartFailed
from knarr.runtime.log import Block, LogQuery, LogReader
from knarr.spec.docker.container import (
    ContainerCreate,
    ContainerCreated,
    ContainerInspect,
    ContainersPruned,
    ContainerSummary,
    ContainerTop,
    EndpointSettings,
)
from knarr.spec.docker.health import Health
from knarr.spec.docker.stats import ContainerStats
from knarr.store import Database

_GRACE_SECONDS: Final = 10  # between a stop signal and SIGKILL, unless somebody says otherwise
_LOST_EXIT: Final = 255  # of a process that a reboot ended, as Docker has it
_KILL_SECONDS: Final = 10  # that a killed process may take to be gone
_log = logging.getLogger("knarr.container")


class ContainerService:
    """Containers from creation to removal."""

    def __init__(
        self,
        *,
        db: Database,
        registry: ContainerRegistry,
        creator: Creator,
        launcher: Launcher,
        keeper: Keeper,
        execs: ExecService,
        networks: NetworkService,
        machine: Machine,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.machine = machine
        self._db = db
        self._registry = registry
        self._creator = creator
        self._launcher = launcher
        self._keeper = keeper
        self._networks = networks
        self._execs = execs
        self._tasks = tasks
        self._locks: defaultdict[ContainerId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiters = Waiters()
        self._health = HealthWatch(execs, tasks)
        self._usage = UsageReader(keeper, machine)
        self._delays_ms: dict[ContainerId, int] = {}

    # Looking

    def all(self) -> Iterator[Container]:
        return iter(self._registry)

    def find(self, ref: str) -> Container:
        return self._registry.find(ref)

    async def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect:
        container = self.find(ref)
        return documents.inspect(container, await self._around(container, size=size))

    async def list(
        self,
        wanted: filters.Filters,
        *,
        everything: bool = False,
        limit: int = 0,
        size: bool = False,
    ) -> Sequence[ContainerSummary]:
        """Newest first: running ones, unless ``everything`` or a filter on the state is given."""
        now_ns = time.time_ns()
        shown: list[ContainerSummary] = []
        resolved = self._resolved(wanted)
        every = everything or limit > 0 or not {"status", "exited"}.isdisjoint(wanted)
        for container in sorted(self._registry, key=lambda each: -each.created_ns):
            if not (every or container.alive or container.status is Status.RESTARTING):
                continue
            around = await self._around(container, size=False)
            candidate = filters.Candidate(
                container=container,
                network_names=frozenset(
                    {*around.networks, *(each.network_id for each in around.networks.values())}
                ),
                ports=around.ports,
            )
            if not filters.matches(candidate, wanted, resolved):
                continue
            if size:
                around = await self._around(container, size=True)
            shown.append(documents.summary(container, around, now_ns))
            if limit > 0 and len(shown) == limit:
                break
        return shown

    def _resolved(self, wanted: filters.Filters) -> filters.Resolved:
        def created(name: str) -> int | None:
            values = wanted.get(name)
            return self.find(values[0]).created_ns if values else None

        return filters.Resolved(
            ancestors=self._creator.descendants_of(wanted.get("ancestor", ())),
            before_ns=created("before"),
            since_ns=created("since"),
        )

    async def _around(self, container: Container, *, size: bool) -> Surroundings:
        return await self._launcher.surroundings(container, size=size)

    async def top(self, ref: str, ps_args: str) -> ContainerTop:
        """The processes of a running container, as the host's ``ps`` shows them."""
        container = self.find(ref)
        container.must_be_running()
        table = await self._launcher.processes(container, ps_args)
        self._tell(container, "top")
        return table

    def stats(self, ref: str) -> AsyncIterator[ContainerStats]:
        """One document a second until the container is gone."""
        container_id = self.find(ref).id
        return self._usage.follow(lambda: self.find(container_id))

    async def stats_once(self, ref: str, *, one_shot: bool) -> ContainerStats:
        return await self._usage.once(self.find(ref), one_shot=one_shot)

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

    async def start(self, ref: str) -> None:
        """Run the container's process. On any failure nothing of it is left behind."""
        async with self._held(ref) as before:
            self._delays_ms.pop(before.id, None)
            await self._start(before.startable())

    async def _start(self, before: Container, *, again: bool = False) -> Container:
        try:
            started = await self._launcher.launch(before)
        except (StartFailed, KnarrError) as error:
            code = error.exit_code if isinstance(error, StartFailed) else 128
            after = before.failed_to_start(code=code, error=str(error))
            self._record(after, ("die", {"exitCode": str(code), "execDuration": "0"}))
            if after.record.host.auto_remove:
                await self._remove(after, volumes=True)
            raise
        after = before.started(pid=started.pid, at_ns=started.started_ns, again=again)
        self._record(after, ("start", {}))
        self._health.begin(after, self._probed)
        return after

    async def stop(self, ref: str, *, grace: int | None = None, signal: str = "") -> None:
        """Ask it to end, and kill it when it has not within ``grace`` seconds (-1: wait for ever).

        Raises NotModified when it does not run.
        """
        container = self.find(ref)
        if container.status is Status.RESTARTING:
            await self._give_up_restarting(container)
            return
        if not container.alive:
            raise NotModified(f"container {container.name} is not running")
        config = container.record.config
        number = signal_number(signal or config.stop_signal or "SIGTERM")
        if grace is None:
            grace = config.stop_timeout if config.stop_timeout is not None else _GRACE_SECONDS
        ended = self._waiters.add(container.id, Condition.NEXT_EXIT)
        await self._signal(container, number)
        if not await _within(ended, None if grace < 0 else grace):
            await self._signal(container, 9)
            if not await _within(ended, _KILL_SECONDS):
                raise KnarrError(f"container {container.name} did not end even when killed")
        self._tell(self._registry.get(container.id) or container, "stop")

    async def kill(self, ref: str, signal: str = "") -> None:
        """Send a signal; with SIGKILL, return once the process is gone."""
        try:
            container = self.find(ref)
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
        async with self._locks[container.id]:
            current = self._registry.get(container.id)
            if current is None or not current.alive:
                return
            config = current.record.config
            final = number in (9, 15, signal_number(config.stop_signal or "SIGTERM"))
            after = current.user_stops() if final else current
            with suppress(ProcessLookupError):
                await self._keeper.signal(container.id, number)
            if current.status is Status.PAUSED and final:
                await self._keeper.resume(container.id)
            self._record(after, ("kill", {"signal": str(number)}))

    async def restart(self, ref: str, *, grace: int | None = None, signal: str = "") -> None:
        with suppress(NotModified):
            await self.stop(ref, grace=grace, signal=signal)
        await self.start(ref)
        self._tell(self.find(ref), "restart")

    async def pause(self, ref: str) -> None:
        """Freeze all processes of the container."""
        async with self._held(ref) as before:
            after = before.paused()
            self._health.end(before.id)
            await self._keeper.pause(before.id)
            self._record(after, ("pause", {}))

    async def unpause(self, ref: str) -> None:
        async with self._held(ref) as before:
            after = before.unpaused()
            await self._keeper.resume(before.id)
            self._record(after, ("unpause", {}))
            self._health.begin(after, self._probed)

    async def rename(self, ref: str, name: str) -> None:
        if not name:
            raise InvalidArgument("Neither old nor new names may be empty")
        async with self._held(ref) as before:
            name = checked_name(name)
            if name == before.name:
                raise InvalidArgument("Renaming a container with the same name as its current name")
            self._registry.check_name_is_free(name)
            after = self._creator.renamed(before, name)
            with self._db.transaction() as tx:
                rows.update_document(tx, after)
                old = {"oldName": f"/{before.name}"}
                tx.emit(_event(after, "rename", old))
            self._registry.put(after)
            await self._networks.rename(after.id, name)

    async def connect(self, ref: str, network: str, settings: EndpointSettings) -> None:
        """Put it on one more network: at once if it runs, else from its next start."""
        found = self._networks.resolve(network)
        async with self._held(ref) as before:
            after = connected(before, found, settings)
            if before.alive:
                await self._launcher.connect(before, found.id, settings)
            else:
                self._networks.check([EndpointRequest(network=found.id, settings=settings)])
            self._put_document(after)

    async def disconnect(self, ref: str, network: str, *, force: bool = False) -> None:
        """Take it off a network; with ``force``, a container that is gone is fine."""
        found = self._networks.resolve(network)
        try:
            async with self._held(ref) as before:
                after = disconnected(before, found)
                if before.alive:
                    await self._launcher.disconnect(before, found.id)
                self._put_document(after)
        except NotFound:
            if not force:
                raise

    def _put_document(self, after: Container) -> None:
        with self._db.transaction() as tx:
            rows.update_document(tx, after)
        self._registry.put(after)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove the container, with ``volumes`` its anonymous volumes too."""
        container = self.find(ref)
        if container.status is Status.REMOVING:
            raise Conflict(f"removal of container {ref} is already in progress")
        if container.status is Status.RESTARTING:
            if not force:
                raise Conflict(
                    f'cannot remove container "{container.name}": container is restarting: stop'
                    " the container before removing or force remove"
                )
            await self._give_up_restarting(container)
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
            async with self._held(container.id) as before:
                if before.alive:
                    raise KnarrError(
                        f"cannot remove container {container.name}: it does not end when killed"
                    )
                await self._remove(before, volumes=volumes)
        except NotFound:
            pass  # an --rm container removes itself when its process ends

    async def _remove(self, before: Container, *, volumes: bool) -> None:
        self._registry.put(before.removing())
        try:
            await self._launcher.discard(before, volumes=volumes)
        except BaseException as error:
            self._registry.put(before)
            ended = Ended(exit_code=before.state.exit_code, error=str(error))
            self._waiters.removed(before.id, ended)
            raise
        with self._db.transaction() as tx:
            rows.delete(tx, before)
            tx.emit(_event(before, "destroy"))
        self._registry.drop(before)
        self._waiters.removed(before.id, Ended(exit_code=before.state.exit_code))
        self._locks.pop(before.id, None)

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
        with self._db.transaction() as tx:
            tx.emit(
                Event(
                    type="container",
                    action="prune",
                    actor="",
                    attributes={"reclaimed": str(reclaimed)},
                )
            )
        return ContainersPruned(containers_deleted=tuple(removed), space_reclaimed=reclaimed)

    # Its streams

    async def attach(
        self,
        ref: str,
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
    ) -> socket.socket:
        """The keeper's end of its streams, before the start too: then nothing is missed."""
        container = self.find(ref)
        if container.status is Status.PAUSED:
            raise Conflict(
                f"container {container.id} is paused, unpause the container before attach"
            )
        channel = await self._keeper.attach(
            container.id,
            stdin=stdin and container.record.config.open_stdin,
            stdout=stdout,
            stderr=stderr,
            terminal=container.record.config.tty,
        )
        self._tell(container, "attach")
        return channel

    async def logs(self, ref: str, query: LogQuery, *, follow: bool) -> AsyncIterator[Block]:
        """What it wrote, and with ``follow`` what it writes until its process ends."""
        container = self.find(ref)
        reader = LogReader(self._launcher.log_folder(container.id), query)
        if follow and container.alive:
            async for block in reader.follow():
                yield block
            return
        for block in reader.blocks():
            yield block

    async def resize(self, ref: str, *, rows: int, columns: int) -> None:
        """Tell a running container's terminal its size, in characters."""
        container = self.find(ref)
        container.must_be_running()
        await self._keeper.resize(container.id, rows=rows, columns=columns)
        self._tell(container, "resize", height=str(rows), width=str(columns))

    # Waiting

    @asynccontextmanager
    async def waiting(
        self, ref: str, condition: Condition
    ) -> AsyncIterator["asyncio.Future[Ended]"]:
        """A future of how it ends; already there where the condition holds already."""
        container = self.find(ref)
        future = self._waiters.add(container.id, condition)
        if condition is Condition.NOT_RUNNING and not container.alive:
            future.set_result(Ended(exit_code=container.state.exit_code))
        try:
            yield future
        finally:
            self._waiters.forget(container.id, future)

    # What the keeper tells

    async def watch_exits(self) -> None:
        """For the life of the daemon: record every exit that the keeper reports.

        The keeper forgets an exit when the next one is asked for: by then it is recorded here.
        """
        async for exit_ in self._keeper.exits():
            if exit_.exec_id is not None:
                self._execs.exited(exit_)
                continue
            try:
                await self._exited(exit_)
            except Exception:
                _log.exception("recording the exit of container %s", exit_.id)

    async def _exited(self, exit_: Exit) -> None:
        try:
            async with self._held(exit_.id) as before:
                if not before.alive:
                    return
                after = await self._record_exit(before, exit_)
        except NotFound:
            return  # removed meanwhile
        self._tasks.create_task(self._after_exit(after))

    async def _record_exit(self, before: Container, exit_: Exit) -> Container:
        after = before.exited(code=exit_.code, at_ns=exit_.finished_ns, oom_killed=exit_.oom_killed)
        self._health.end(before.id)
        seconds = max(0, exit_.finished_ns - before.state.started_ns) // 1_000_000_000
        told = {"exitCode": str(exit_.code), "execDuration": str(seconds)}
        oom = [("oom", dict[str, str]())] if exit_.oom_killed else []
        self._record(after, *oom, ("die", told))
        await self._launcher.unplug(before)
        return after

    async def _after_exit(self, ended: Container) -> None:
        """Clear what the run left, and remove the container where it asked for that."""
        try:
            async with self._locks[ended.id]:
                if self._registry.get(ended.id) is not ended:
                    return
                self._waiters.exited(ended.id, Ended(exit_code=ended.state.exit_code))
                await self._launcher.clear(ended)
                if ended.record.host.auto_remove:
                    await self._remove(ended, volumes=True)
                elif self._shall_restart(ended):
                    self._record(ended.restarting())
                    self._tasks.create_task(self._start_again(ended.id, self._delay(ended)))
        except Exception:
            _log.exception("clearing away after container %s", ended.id)

    # Restarts by policy

    def _shall_restart(self, ended: Container) -> bool:
        return restarts(
            ended.record.host.restart_policy,
            exit_code=ended.state.exit_code,
            restart_count=ended.state.restart_count,
            stopped_by_user=ended.state.stopped_by_user,
        )

    def _delay(self, ended: Container) -> float:
        """Seconds to wait, growing while the container keeps failing."""
        ran_seconds = (ended.state.finished_ns - ended.state.started_ns) / 1_000_000_000
        delay_ms = next_delay_ms(self._delays_ms.get(ended.id, 0), ran_seconds)
        self._delays_ms[ended.id] = delay_ms
        return delay_ms / 1000

    async def _start_again(self, container_id: ContainerId, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            async with self._held(container_id) as before:
                if before.status is not Status.RESTARTING:
                    return
                try:
                    await self._start(before, again=True)
                except KnarrError as error:
                    _log.warning("restarting container %s: %s", before.name, error)
                    failed = self._registry.get(container_id)
                    if failed is not None and self._shall_restart(failed):
                        self._record(failed.restarting())
                        delay = self._start_again(container_id, self._delay(failed))
                        self._tasks.create_task(delay)
        except NotFound:
            pass  # removed meanwhile

    async def _give_up_restarting(self, container: Container) -> None:
        """Somebody stops it while it waits for its next run."""
        async with self._held(container.id) as before:
            if before.status is Status.RESTARTING:
                self._delays_ms.pop(before.id, None)
                self._record(before.not_restarted(), ("stop", {}))

    async def _probed(self, container_id: ContainerId, health: Health) -> None:
        """One more health check is over: record, tell a change, act where that was asked for."""
        async with self._held(container_id) as before:
            if not before.alive:
                return
            known = before.state.health
            changed = known is None or known.status != health.status
            told = [(f"health_status: {health.status}", dict[str, str]())] if changed else []
            after = before.healthy(health)
            self._record(after, *(told if known is not None else []))
        if changed and health.status == UNHEALTHY:
            self._tasks.create_task(self._act_on_failure(after))

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

    async def restore(self, running: Collection[Running]) -> None:
        """At the daemon's start: make what is recorded agree with what the keeper says.

        running: the processes that live. Exits that the keeper has yet to tell are left to
        ``watch_exits``; a process that nobody knows of any more ended with the machine.
        """
        untold = self._keeper.untold_exits()
        live = {each.id: each for each in running if each.exec_id is None}
        for container in self._registry:
            process = live.pop(container.id, None)
            if process is not None and not container.alive:
                # Its start went through, but the daemon was killed before it could record that.
                after = container.started(pid=process.pid, at_ns=process.started_ns)
                self._record(after, ("start", {}))
            elif process is None and container.alive and container.id not in untold:
                after = container.exited(code=_LOST_EXIT, at_ns=time.time_ns())
                self._record(after, ("die", {"exitCode": str(_LOST_EXIT)}))
                self._tasks.create_task(self._after_exit(after))
            elif process is not None:
                self._health.begin(container, self._probed)
            elif process is None and container.id not in untold and self._starts_now(container):
                self._record(container.restarting())
                self._tasks.create_task(self._start_again(container.id, 0))
        for stranger in live:
            await self._keeper.signal(stranger, 9)

    def _starts_now(self, container: Container) -> bool:
        state = container.state
        return starts_with_the_daemon(
            container.record.host.restart_policy,
            has_run=bool(state.started_ns),
            exit_code=state.exit_code,
            stopped_by_user=state.stopped_by_user,
        )

    # The common beats

    @asynccontextmanager
    async def _held(self, ref: str) -> AsyncIterator[Container]:
        """The container, its lock taken, as it was last committed."""
        container_id = self.find(ref).id
        async with self._locks[container_id]:
            current = self._registry.get(container_id)
            if current is None:
                raise NotFound(f"No such container: {ref}")
            yield current

    def _record(self, after: Container, *happened: tuple[str, dict[str, str]]) -> None:
        """One commit: the state and what is told of it."""
        with self._db.transaction() as tx:
            rows.update_state(tx, after)
            for action, attributes in happened:
                tx.emit(_event(after, action, attributes))
        self._registry.put(after)

    def tell(self, ref: str, action: str) -> None:
        """An event that changes nothing, of a container that may be gone."""
        if (container := self._registry.get(ref)) is not None:
            self._tell(container, action)

    def _tell(self, container: Container, action: str, **attributes: str) -> None:
        """An event that changes nothing."""
        with self._db.transaction() as tx:
            tx.emit(_event(container, action, attributes))


def _event(container: Container, action: str, attributes: dict[str, str] | None = None) -> Event:
    return Event(
        type="container",
        action=action,
        actor=container.id,
        attributes={**event_attributes(container), **(attributes or {})},
    )


async def _within(ended: "asyncio.Future[Ended]", seconds: float | None) -> bool:
    """Whether it ended in time; the future lives on when it did not."""
    await asyncio.wait({ended}, timeout=seconds)
    return ended.done()
