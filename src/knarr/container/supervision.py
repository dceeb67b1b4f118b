"""What happens to containers without anybody asking: exits, restarts, health, a new daemon."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Final

from knarr.container.exec import ExecService
from knarr.container.health import UNHEALTHY
from knarr.container.journal import Journal
from knarr.container.launch import Launcher
from knarr.container.lifecycle import Lifecycle
from knarr.container.model import Container, Status
from knarr.container.restart import next_delay_ms, restarts, starts_with_the_daemon
from knarr.container.shortage import ShortageWatch
from knarr.container.steps import StepRunner
from knarr.container.turns import TurnWatch
from knarr.container.waiting import Ended, Waiters
from knarr.container.watching import HealthWatch
from knarr.errors import Conflict, KnarrError, NotFound
from knarr.ids import ContainerId
from knarr.runtime import Exit, Keeper, Running
from knarr.spec.docker.health import Health

_LOST_EXIT: Final = 255  # of a process that a reboot ended, as Docker has it
_log = logging.getLogger("knarr.container")


class Supervisor:
    """Records what the keeper tells, and does what policies say."""

    def __init__(
        self,
        *,
        journal: Journal,
        lifecycle: Lifecycle,
        launcher: Launcher,
        keeper: Keeper,
        execs: ExecService,
        steps: StepRunner,
        waiters: Waiters,
        health: HealthWatch,
        shortage: ShortageWatch,
        turns: TurnWatch,
        tasks: asyncio.TaskGroup,
        on_unhealthy: Callable[[Container], Coroutine[None, None, None]],
    ) -> None:
        """on_unhealthy: what a container asked for when its health check fails for good."""
        self._journal = journal
        self._lifecycle = lifecycle
        self._launcher = launcher
        self._keeper = keeper
        self._execs = execs
        self._steps = steps
        self._waiters = waiters
        self._health = health
        self._shortage = shortage
        self._turns = turns
        self._tasks = tasks
        self._on_unhealthy = on_unhealthy
        self._delays_ms: dict[ContainerId, int] = {}
        health.listen(self._probed)

    def starts_anew(self, container_id: ContainerId) -> None:
        """A person starts it: what came before does not count."""
        self._delays_ms.pop(container_id, None)

    async def watch_exits(self) -> None:
        """For the life of the daemon: record every exit that the keeper reports.

        The keeper forgets an exit when the next one is asked for: by then it is recorded here.
        """
        async for exit_ in self._keeper.exits():
            if exit_.exec_id is not None:
                self._execs.exited(exit_)
                continue
            if self._steps.exited(exit_):
                continue
            try:
                await self._exited(exit_)
            except Exception:
                _log.exception("recording the exit of container %s", exit_.id)

    async def _exited(self, exit_: Exit) -> None:
        async with AsyncExitStack() as lock:
            try:
                before = await lock.enter_async_context(self._journal.held(exit_.id))
            except NotFound:
                await self._launcher.forget(exit_.id)  # a stranger, or removed meanwhile
                return
            if not before.alive and exit_.finished_ns > before.state.finished_ns:
                # Its start went through, but the daemon was killed before it could record that.
                before = before.started(pid=0, at_ns=exit_.finished_ns)
                self._journal.record(before, ("start", {}))
            if before.alive:
                after = await self._record_exit(before, exit_)
            else:  # recorded, but the daemon was killed before all was cleared away
                after = before
                await self._launcher.unplug(before)
            self._tasks.create_task(self._after_exit(after, lock.pop_all()))

    async def _record_exit(self, before: Container, exit_: Exit) -> Container:
        after = before.exited(code=exit_.code, at_ns=exit_.finished_ns, oom_killed=exit_.oom_killed)
        self._health.end(before.id)
        self._shortage.end(before.id)
        self._turns.end(before.id)
        seconds = max(0, exit_.finished_ns - before.state.started_ns) // 1_000_000_000
        told = {"exitCode": str(exit_.code), "execDuration": str(seconds)}
        untold = exit_.oom_killed and not before.state.oom_killed
        oom = [("oom", dict[str, str]())] if untold else []
        if not after.record.host.auto_remove and self._shall_restart(after):
            after = after.restarting()
        self._journal.record(after, *oom, ("die", told))
        await self._launcher.unplug(before)
        return after

    async def _after_exit(self, ended: Container, lock: AsyncExitStack) -> None:
        """Clear what the run left, and remove the container where it asked for that.

        lock: the container's, let go at the end: nobody comes between its exit and this.
        """
        try:
            async with lock:
                self._waiters.exited(ended.id, Ended(exit_code=ended.state.exit_code))
                await self._launcher.clear(ended)
                if ended.record.host.auto_remove:
                    await self._lifecycle.remove(ended, volumes=True)
                elif ended.status is Status.RESTARTING:
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
            async with self._journal.held(container_id) as before:
                if before.status is not Status.RESTARTING:
                    return
                try:
                    await self._lifecycle.start(before, again=True)
                except KnarrError as error:
                    _log.warning("restarting container %s: %s", before.name, error)
                    failed = self._journal.registry.get(container_id)
                    if failed is not None and self._shall_restart(failed):
                        self._journal.record(failed.restarting())
                        delay = self._start_again(container_id, self._delay(failed))
                        self._tasks.create_task(delay)
        except NotFound:
            pass  # removed meanwhile

    async def give_up_restarting(self, container: Container) -> None:
        """Somebody stops it while it waits for its next run."""
        async with self._journal.held(container.id) as before:
            if before.status is Status.RESTARTING:
                self._delays_ms.pop(before.id, None)
                self._journal.record(before.not_restarted(), ("stop", {}))

    async def _probed(self, container_id: ContainerId, health: Health) -> None:
        """One more health check is over: record, tell a change, act where that was asked for."""
        async with self._journal.held(container_id) as before:
            if not before.alive:
                return
            known = before.state.health
            changed = known is None or known.status != health.status
            told = [(f"health_status: {health.status}", dict[str, str]())] if changed else []
            after = before.healthy(health)
            self._journal.record(after, *(told if known is not None else []))
            await self._turns.probed(container_id, health)
        if changed and health.status == UNHEALTHY:
            self._tasks.create_task(self._on_unhealthy(after))

    async def restore(self, running: Collection[Running]) -> None:
        """At the daemon's start: make what is recorded agree with what the keeper says.

        running: the processes that live. Exits that the keeper has yet to tell are left to
        ``watch_exits``; a process that nobody knows of any more ended with the machine.
        """
        untold = self._keeper.untold_exits()
        live = {each.id: each for each in running if each.exec_id is None}
        for container in self._journal.registry:
            process = live.pop(container.id, None)
            if process is not None and not container.alive:
                # Its start went through, but the daemon was killed before it could record that.
                after = container.started(pid=process.pid, at_ns=process.started_ns)
                self._journal.record(after, ("start", {}))
            elif process is None and container.alive and container.id not in untold:
                after = container.exited(code=_LOST_EXIT, at_ns=time.time_ns())
                if self._shall_restart(after):
                    after = after.restarting()
                self._journal.record(after, ("die", {"exitCode": str(_LOST_EXIT)}))
                lock = AsyncExitStack()
                await lock.enter_async_context(self._journal.held(container.id))
                self._tasks.create_task(self._after_exit(after, lock))
            elif process is not None:
                self._health.begin(container)
                self._shortage.begin(container)
                await self._turns.begin(container)
            elif process is None and container.id not in untold and self._starts_now(container):
                self._journal.record(container.restarting())
                self._tasks.create_task(self._start_again(container.id, 0))
        for stranger in live:
            with suppress(Conflict):
                await self._keeper.signal(stranger, 9)

    def _starts_now(self, container: Container) -> bool:
        state = container.state
        return starts_with_the_daemon(
            container.record.host.restart_policy,
            has_run=bool(state.started_ns),
            exit_code=state.exit_code,
            stopped_by_user=state.stopped_by_user,
        )
