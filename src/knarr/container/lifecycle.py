"""Start and removal of a container whose lock is held: by a verb, or by its restart policy."""

from knarr.container.journal import Journal
from knarr.container.launch import Launcher
from knarr.container.logs.sending import LogSender
from knarr.container.model import Container
from knarr.container.shortage import ShortageWatch
from knarr.container.turns import TurnWatch
from knarr.container.waiting import Ended, Waiters
from knarr.container.watching import HealthWatch
from knarr.errors import KnarrError
from knarr.runtime import StartFailed


class Lifecycle:
    """What ``start``, ``rm``, ``--rm`` and restart policies have in common."""

    def __init__(
        self,
        *,
        journal: Journal,
        launcher: Launcher,
        waiters: Waiters,
        health: HealthWatch,
        shortage: ShortageWatch,
        turns: TurnWatch,
        logs: LogSender,
    ) -> None:
        self._journal = journal
        self._launcher = launcher
        self._waiters = waiters
        self._health = health
        self._shortage = shortage
        self._turns = turns
        self._logs = logs

    async def start(self, before: Container, *, again: bool = False) -> Container:
        """Run its process. On any failure nothing of the run is left behind.

        again: by its restart policy.
        """
        try:
            await self._logs.check(before)
            started = await self._launcher.launch(before)
        except KnarrError as error:
            code = error.exit_code if isinstance(error, StartFailed) else 128
            after = before.failed_to_start(code=code, error=str(error))
            told = {"exitCode": str(code), "execDuration": "0"}
            self._journal.record(after, ("die", told))
            if after.record.host.auto_remove:
                await self.remove(after, volumes=True)
            raise
        after = before.started(pid=started.pid, at_ns=started.started_ns, again=again)
        self._journal.record(after, ("start", {}))
        self._launcher.tell_linkers(after)
        self._health.begin(after)
        self._shortage.begin(after)
        self._logs.begin(after)
        await self._turns.begin(after)
        return after

    async def remove(self, before: Container, *, volumes: bool) -> None:
        """Delete what it has, with ``volumes`` its anonymous volumes too, and forget it."""
        registry, ended = self._journal.registry, Ended(exit_code=before.state.exit_code)
        registry.put(before.removing())
        try:
            await self._logs.finish(before.id)
            await self._launcher.discard(before, volumes=volumes)
        except BaseException as error:
            registry.put(before)
            failed = Ended(exit_code=before.state.exit_code, error=str(error))
            self._waiters.removed(before.id, failed)
            raise
        self._journal.forget(before)
        self._waiters.removed(before.id, ended)
