"""What a build asks of whoever runs processes: one process in one root, no more.

The daemon gives an implementation over its runtime; tests give one that runs nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Output = Callable[[int, bytes], None]
"""Takes what the process writes: 1 for its standard output, 2 for its standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPath:
    """A file or directory of the host in the process' root. ``target`` may have to be made.

    mapped: its owners are shown by the runner's ``id_map`` already.
    """

    source: Path
    target: str
    read_only: bool = True
    mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPath:
    """A file system in memory. size_bytes: its ceiling, 0 for the kernel's own."""

    target: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """How much a step may take; zero and empty say nothing. Units as in the Engine API."""

    memory_bytes: int = 0
    memory_swap_bytes: int = 0
    cpu_shares: int = 0
    cpu_period_us: int = 0
    cpu_quota_us: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    shm_bytes: int = 0
    ulimits: tuple[tuple[str, int, int], ...] = ()  # name, soft, hard
    cgroup_parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a build step.

    id: 64 hex digits, of this run alone. rootfs: mounted by ``id_map`` and writable; it stays when
    the process has ended. argv: as the image's exec form; a program that is missing is reported by
    the runner. user: ``name|uid[:group|gid]``, looked up in the root. network: default, none, host,
    or a name. hosts: lines for /etc/hosts, by name. insecure: with all privileges.
    """

    id: str
    rootfs: Path
    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    mounts: tuple[BoundPath | MemoryPath, ...] = ()
    network: str = "default"
    hostname: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    insecure: bool = False
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the process ended: its code, or 128 and the signal."""

    code: int
    oom_killed: bool = False


class Runner(Protocol):
    """Runs a process to its end.

    Nothing of it is left when ``run`` returns or raises: no process, no namespace, no control
    group, no mount beneath the root. Cancelling the task kills the process first.
    """

    def id_map(self, network: str, *, insecure: bool) -> int | None:
        """The user namespace (its descriptor) by which such a process has its files' owners shown.

        None: they are shown as they are. Raises InvalidArgument for what it may not have.
        """
        ...

    async def run(self, process: Process, output: Output) -> Ended:
        """Raises KnarrError, in Docker's words, when the process does not come to run."""
        ...
