"""What must outlive the keeper: which processes run, and which exits nobody was told of.

<run root>/containers/<id>/task.json         the container's process
                           exec-<id>.json    a further one in it
<run root>/exits/<number>.json               an exit, until the daemon says that it knows
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_TASK: Final = "task.json"
_EXEC: Final = "exec-"


class Key(NamedTuple):
    """Which process: a container's own, or (with ``exec`` given) a further one in it."""

    container: str
    exec: str = ""


class Alive(NamedTuple):
    """A process that was started. ``started_ticks`` makes the PID unmistakable.

    cgroup: its path, empty if it has none of its own. leftovers: folders to remove afterwards.
    log: as LogWriter takes it, None if none is kept.
    """

    key: Key
    pid: int
    started_ticks: int
    started_ns: int
    cgroup: str
    leftovers: tuple[str, ...]
    log: tuple[str, int, int] | None


class Exit(NamedTuple):
    """``number`` counts up; it is how the daemon says which exit it knows of now."""

    number: int
    key: Key
    code: int
    oom_killed: bool
    finished_ns: int


class Journal:
    """Synchronous: the run folder is in memory. Each file is written aside and then renamed."""

    def __init__(self, run_root: str) -> None:
        self._containers = f"{run_root}/containers"
        self._exits = f"{run_root}/exits"
        for folder in (self._containers, self._exits):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        # From the clock, so that numbers go on counting up when nothing is left to count from.
        self._next = time.time_ns()

    def began(self, alive: Alive) -> None:
        _write(self._task(alive.key), alive._asdict())

    def ended(self, key: Key, code: int, oom_killed: bool, finished_ns: int) -> Exit:
        """The process is over; its exit is kept until ``told``."""
        exit_ = Exit(self._next, key, code, oom_killed, finished_ns)
        self._next += 1
        _write(f"{self._exits}/{exit_.number:020}.json", exit_._asdict())
        _unlink(self._task(key))
        return exit_

    def told(self, number: int) -> None:
        _unlink(f"{self._exits}/{number:020}.json")

    def untold(self) -> list[Exit]:
        """In the order in which they happened."""
        found = (_read(f"{self._exits}/{name}") for name in sorted(os.listdir(self._exits)))
        return [
            Exit(**{**document, "key": Key(*document["key"])})
            for document in found
            if document is not None
        ]

    def alive(self) -> Iterator[Alive]:
        """What was running when the journal was last written."""
        for container in os.listdir(self._containers):
            folder = f"{self._containers}/{container}"
            for name in os.listdir(folder):
                if name != _TASK and not (name.startswith(_EXEC) and name.endswith(".json")):
                    continue
                if (document := _read(f"{folder}/{name}")) is not None:
                    key, leftovers = Key(*document["key"]), tuple(document["leftovers"])
                    log = tuple(document["log"]) if document["log"] else None
                    yield Alive(**{**document, "key": key, "leftovers": leftovers, "log": log})

    def folder(self, container: str) -> str:
        return f"{self._containers}/{container}"

    def _task(self, key: Key) -> str:
        return f"{self.folder(key.container)}/{f'{_EXEC}{key.exec}.json' if key.exec else _TASK}"


def _write(path: str, document: dict[str, Any]) -> None:
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(json.dumps(document))  # not json.dump, which is ten times slower
    os.rename(f"{path}.new", path)


def _read(path: str) -> dict[str, Any] | None:
    """A document; None for one that was being written when everything stopped."""
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except (FileNotFoundError, ValueError):
        return None


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
