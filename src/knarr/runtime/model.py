"""What the keeper is asked to run, and what it tells about it."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from knarr.errors import KnarrError
from knarr.runtime.oci import OciRuntime
from knarr.spec.oci.runtime import Process, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """Where a container's log goes, and how much of it is kept.

    folder: made when it is not there. max_bytes: of one file. max_files: 0 keeps all of them.
    """

    folder: Path
    max_bytes: int = 10_000_000
    max_files: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A container to start. Its limits, control group and terminal are in ``spec``.

    spec: ``root.path`` absolute; ``linux.cgroups_path`` as ``/knarr/<id>``.
    open_stdin, stdin_once: as in the Engine API's ContainerConfig.
    log: None keeps none.
    owner: the host's numbers of a root that is not the host's, for whom its pipes are.
    """

    id: str
    spec: Spec
    runtime: OciRuntime
    open_stdin: bool = False
    stdin_once: bool = False
    log: LogPlace | None = None
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecLaunch:
    """A further process in a running container; with ``open_stdin``, it ends with its client's."""

    id: str
    exec_id: str
    process: Process
    runtime: OciRuntime
    open_stdin: bool = False
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that runs: a container's own, or with ``exec_id`` a further one in it.

    pid: as the host sees it. started_ns: nanoseconds since the epoch. cgroup: its path.
    """

    id: str
    exec_id: str | None
    pid: int
    started_ns: int
    cgroup: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended. ``code`` is its own, or 128 and the signal; 137 when nobody saw it.

    oom_killed: the kernel killed something in the container for want of memory.
    """

    id: str
    exec_id: str | None
    code: int
    oom_killed: bool
    finished_ns: int


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A network namespace. ``path`` is for the OCI runtime; ``netlink`` was made inside it."""

    path: str
    netlink: socket.socket


class UserNamespace(NamedTuple):
    """``path`` is for OCI runtimes, good while the keeper lives; ``descriptor`` for ever."""

    path: str
    descriptor: int


class StartFailed(KnarrError):
    """The process did not come to run; the words are Docker's, ``exit_code`` 126, 127 or 128."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
