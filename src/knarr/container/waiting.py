"""Who waits for a container to end or to be gone, and what they are told."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from knarr.errors import InvalidArgument
from knarr.ids import ContainerId


class Condition(StrEnum):
    """What is waited for. Source: Engine API, ContainerWait."""

    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"

    @classmethod
    def of(cls, text: str) -> "Condition":
        try:
            return cls(text or cls.NOT_RUNNING)
        except ValueError:
            raise InvalidArgument(f'invalid condition: "{text}"') from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The exit code of the run that ended, and why it could not be removed, if that failed."""

    exit_code: int
    error: str = ""


Future = asyncio.Future[Ended]


class Waiters:
    """Futures by container and condition; each is told once."""

    def __init__(self) -> None:
        self._waiting: defaultdict[ContainerId, list[tuple[Condition, Future]]] = defaultdict(list)

    def add(self, container: ContainerId, condition: Condition) -> Future:
        future: Future = asyncio.get_running_loop().create_future()
        self._waiting[container].append((condition, future))
        return future

    def forget(self, container: ContainerId, future: Future) -> None:
        """Whoever waited went away."""
        kept = [each for each in self._waiting[container] if each[1] is not future]
        self._keep(container, kept)

    def exited(self, container: ContainerId, ended: Ended) -> None:
        self._tell(container, {Condition.NOT_RUNNING, Condition.NEXT_EXIT}, ended)

    def removed(self, container: ContainerId, ended: Ended) -> None:
        self._tell(container, set(Condition), ended)

    def _tell(self, container: ContainerId, conditions: set[Condition], ended: Ended) -> None:
        kept = []
        for condition, future in self._waiting.get(container, ()):
            if condition not in conditions:
                kept.append((condition, future))
            elif not future.done():
                future.set_result(ended)
        self._keep(container, kept)

    def _keep(self, container: ContainerId, kept: list[tuple[Condition, Future]]) -> None:
        if kept:
            self._waiting[container] = kept
        else:
            self._waiting.pop(container, None)
