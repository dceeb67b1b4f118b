"""A container as the engine knows it, and the changes of state that are lawful."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

import msgspec

from knarr.errors import Conflict, NotModified
from knarr.ids import ContainerId, ImageId
from knarr.spec.docker.health import Health
from knarr.spec.record import ContainerRecord, ContainerState


class Status(StrEnum):
    """The Engine API's words. ``removing`` is seen only while a removal is under way."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


_ALIVE = frozenset({Status.RUNNING, Status.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container; replaced, never edited.

    name: without the leading slash. created_ns: nanoseconds since the epoch.
    """

    id: ContainerId
    name: str
    image: ImageId
    created_ns: int
    record: ContainerRecord
    status: Status = Status.CREATED
    state: ContainerState = field(default_factory=ContainerState)

    @property
    def alive(self) -> bool:
        """Whether its process exists, running or frozen."""
        return self.status in _ALIVE

    def _with(self, status: Status, **changes: object) -> Self:
        return replace(self, status=status, state=msgspec.structs.replace(self.state, **changes))

    def startable(self, detach_keys: str = "") -> Self:
        """Refuse what must not be started; no change yet, but for the keys that detach."""
        match self.status:
            case Status.RUNNING:
                raise NotModified(f"container {self.name} is already running")
            case Status.PAUSED:
                raise Conflict("cannot start a paused container, try unpause instead")
            case Status.REMOVING | Status.DEAD:
                raise Conflict("container is marked for removal and cannot be started")
        return self._with(self.status, detach_keys=detach_keys)

    def started(self, *, pid: int, at_ns: int, again: bool = False) -> Self:
        """again: by its restart policy; a person's start counts restarts anew."""
        return self._with(
            Status.RUNNING,
            pid=pid,
            started_ns=at_ns,
            finished_ns=0,
            exit_code=0,
            error="",
            oom_killed=False,
            stopped_by_user=False,
            health=None,
            restart_count=self.state.restart_count if again else 0,
        )

    def failed_to_start(self, *, code: int, error: str) -> Self:
        """Docker keeps the status of a container that never ran."""
        status = Status.CREATED if not self.state.started_ns else Status.EXITED
        return self._with(status, pid=0, exit_code=code, error=error)

    def exited(self, *, code: int, at_ns: int, oom_killed: bool = False) -> Self:
        return self._with(
            Status.EXITED, pid=0, exit_code=code, finished_ns=at_ns, oom_killed=oom_killed
        )

    def out_of_memory(self) -> Self:
        """The kernel killed something in it; the container itself may go on."""
        return self._with(self.status, oom_killed=True)

    def restarting(self) -> Self:
        """Between two runs that a restart policy connects."""
        return self._with(Status.RESTARTING, restart_count=self.state.restart_count + 1)

    def paused(self) -> Self:
        if self.status is Status.PAUSED:
            raise Conflict(f"Container {self.id} is already paused")
        self.must_be_running()
        return self._with(Status.PAUSED)

    def unpaused(self) -> Self:
        if self.status is not Status.PAUSED:
            raise Conflict(f"Container {self.id} is not paused")
        return self._with(Status.RUNNING)

    def healthy(self, health: Health) -> Self:
        return self._with(self.status, health=health)

    def not_restarted(self) -> Self:
        """Somebody stopped it between two runs, or the next one could not be started."""
        return self._with(Status.EXITED, stopped_by_user=True)

    def user_stops(self) -> Self:
        """Remember that it was asked to end: no restart policy shall bring it back."""
        return self._with(self.status, stopped_by_user=True)

    def removing(self) -> Self:
        return replace(self, status=Status.REMOVING)

    def must_be_running(self) -> None:
        if self.status is Status.RESTARTING:
            raise Conflict(
                f"Container {self.id} is restarting, wait until the container is running"
            )
        if not self.alive:
            raise Conflict(f"container {self.id} is not running")
