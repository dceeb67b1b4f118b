"""Control groups, of version 1, 2 or both side by side (hybrid), behind one Protocol.

Limits become file writes (pure, in cgroup_v1.py and cgroup_v2.py); a Cgroup carries them out.

A fact that shapes all of this: moving a *running* process into a group waits for an RCU grace
period, some 12 ms. On version 1 a process of one thread that writes "0" into ``tasks`` moves itself
without that wait; on version 2 the OCI runtime forks its child into the group.
Source: kernel documentation, cgroup-v1 and cgroup-v2; cgroup_procs_write_start in the kernel.

Values here are named tuples: importing dataclasses would cost the keeper 1.3 MiB.
"""

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, Self

_MOUNTS: Final = "/proc/self/mountinfo"
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class Write(NamedTuple):
    """``value`` goes into ``file`` of the group, in the hierarchy of ``controller``."""

    controller: str
    file: str
    value: str


class DeviceRule(NamedTuple):
    """``type`` a, b or c; None is any number; ``access`` of the letters r, w, m."""

    allow: bool
    type: str
    major: int | None
    minor: int | None
    access: str


class DeviceRate(NamedTuple):
    """What a block device is held to: a weight, or bytes or operations a second."""

    major: int
    minor: int
    rate: int


class Limits(NamedTuple):
    """What a group is held to, in version 1's terms as Docker's API has them; None says nothing.

    memory_swap_bytes: memory and swap together; -1 is no limit.
    cpu_shares: 2 to 262144, 1024 is one part. weights: 10 to 1000.
    """

    memory_bytes: int | None = None
    memory_reservation_bytes: int | None = None
    memory_swap_bytes: int | None = None
    memory_swappiness: int | None = None
    oom_kill_disable: bool | None = None
    cpu_shares: int | None = None
    cpu_quota_us: int | None = None
    cpu_period_us: int | None = None
    cpu_realtime_runtime_us: int | None = None
    cpu_realtime_period_us: int | None = None
    cpus: str = ""
    memory_nodes: str = ""
    pids: int | None = None
    io_weight: int | None = None
    io_weight_devices: tuple[DeviceRate, ...] = ()
    read_bytes: tuple[DeviceRate, ...] = ()
    write_bytes: tuple[DeviceRate, ...] = ()
    read_operations: tuple[DeviceRate, ...] = ()
    write_operations: tuple[DeviceRate, ...] = ()
    huge_pages: Mapping[str, int] = _NONE  # bytes by page size, as "2MB"
    devices: tuple[DeviceRule, ...] = ()
    unified: Mapping[str, str] = _NONE  # version 2 files by name


class IoCount(NamedTuple):
    """``operation`` is Read, Write, …, as version 1 names them."""

    major: int
    minor: int
    operation: str
    value: int


class Usage(NamedTuple):
    """What a group has used so far. Times are in ns, sizes in bytes; None where not counted.

    memory_limit_bytes: None for no limit. memory_details: memory.stat as the kernel names it.
    """

    cpu_ns: int = 0
    cpu_user_ns: int = 0
    cpu_system_ns: int = 0
    cpu_each_ns: tuple[int, ...] = ()
    cpu_periods: int = 0
    cpu_throttled_periods: int = 0
    cpu_throttled_ns: int = 0
    memory_bytes: int = 0
    memory_peak_bytes: int | None = None
    memory_limit_bytes: int | None = None
    memory_failures: int | None = None
    memory_details: Mapping[str, int] = _NONE
    pids: int = 0
    pids_limit: int | None = None
    io_bytes: tuple[IoCount, ...] = ()
    io_operations: tuple[IoCount, ...] = ()


class Cgroup(Protocol):
    """One group, by its path below the root of each hierarchy: ``/knarr/<id>``.

    What is asked of a group that is not there raises FileNotFoundError, except ``remove``.
    """

    @property
    def path(self) -> str: ...

    def writes(self, limits: Limits) -> tuple[Write, ...]:
        """The file writes that hold a group to ``limits``. Pure."""

    def create(self) -> None:
        """Make the group in every hierarchy, and those above it; one that is there is fine."""

    def let_look(self) -> None:
        """Let everybody read the group, whatever the umask: a mapped root is nobody's owner."""

    def entrances(self) -> tuple[int, ...]:
        """Descriptors into which a process of one thread writes "0" to enter; the caller's own."""

    def apply(self, writes: Iterable[Write]) -> None:
        """Carry out writes, whatever order the kernel wants them in."""

    def usage(self) -> Usage: ...

    def processes(self) -> tuple[int, ...]:
        """The PIDs in the group and in the groups below it."""

    def freeze(self) -> None:
        """Ask for all processes to be stopped; ``frozen`` tells when they are."""

    def thaw(self) -> None: ...

    def frozen(self) -> bool: ...

    def oom_kills(self) -> int:
        """How many processes of this group the kernel killed for want of memory."""

    def oom_source(self) -> str | int:
        """What tells that memory ran out: a file that changes (inotify), or an eventfd to close."""

    def remove(self) -> bool:
        """Remove the group and those below it; False while a process is still in one."""


class Layout(NamedTuple):
    """Which hierarchies this machine has mounted, and where.

    controllers: version 1 mount points by controller (``cpu``, ``name=systemd``).
    unified: the mount point of version 2; beside version 1 controllers that is *hybrid*.
    """

    controllers: Mapping[str, str]
    unified: str | None

    @classmethod
    def of_this_machine(cls) -> Self:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            return cls.parse(file)

    @classmethod
    def parse(cls, mountinfo: Iterable[str]) -> Self:
        """The layout in the lines of a mountinfo file; of several mounts the first counts."""
        controllers: dict[str, str] = {}
        unified: str | None = None
        for line in mountinfo:
            before, _, after = line.rstrip("\n").partition(" - ")
            kind, _, options = after.split(" ", 2)
            mount_point = before.split(" ")[4]
            if kind == "cgroup2":
                unified = unified or mount_point
            elif kind == "cgroup":
                for option in options.split(","):
                    if option not in _NOT_CONTROLLERS:
                        controllers.setdefault(option, mount_point)
        return cls(controllers=controllers, unified=unified)

    @property
    def version(self) -> int:
        """2 when version 2 has the controllers, else 1."""
        return 1 if "memory" in self.controllers or self.unified is None else 2

    @property
    def hybrid(self) -> bool:
        return self.version == 1 and self.unified is not None

    def cgroup(self, path: str) -> Cgroup:
        # Late, so that the keeper holds in memory only the version that the machine has.
        if self.version == 1:
            from knarr.kernel.cgroup_v1 import CgroupV1

            return CgroupV1(self, path)
        from knarr.kernel.cgroup_v2 import CgroupV2

        return CgroupV2(self, path)


_NOT_CONTROLLERS: Final = {
    "rw", "ro", "xattr", "clone_children", "none", "noprefix", "cpuset_v2_mode", "all",
    "release_agent", "seclabel",
}  # fmt: skip


def read_text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def read_number(path: str) -> int | None:
    """The number in a file; None for ``max``."""
    text = read_text(path).strip()
    return None if text == "max" else int(text)


def read_pairs(path: str) -> dict[str, int]:
    """The lines ``name number`` of a file."""
    pairs = (line.split() for line in read_text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def write_text(path: str, value: str) -> None:
    """One write(2), as these files want it. Never makes the file."""
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, value.encode())
    finally:
        os.close(file)


def apply_all(writes: Iterable[tuple[str, str]]) -> None:
    """Carry out (path, value) writes. What is refused is tried once more after the others.

    Some files limit each other (memory and memory with swap), and which has to come first depends
    on what they hold now.
    """
    refused = []
    for path, value in writes:
        try:
            write_text(path, value)
        except FileNotFoundError:
            raise
        except OSError:
            refused.append((path, value))
    for path, value in refused:
        try:
            write_text(path, value)
        except OSError as error:
            text = f"write {value!r}: {os.strerror(error.errno or 0)}"
            raise OSError(error.errno, text, path) from error


def groups_below(path: str) -> list[str]:
    """``path`` and all groups below it, the deepest first."""
    return [folder for folder, _, _ in os.walk(path, topdown=False)]


def processes_below(path: str) -> tuple[int, ...]:
    """The PIDs in the group at ``path`` and in those below. Raises FileNotFoundError without it."""
    read_text(f"{path}/cgroup.procs")
    found: list[int] = []
    for folder in groups_below(path):
        try:
            found.extend(map(int, read_text(f"{folder}/cgroup.procs").split()))
        except FileNotFoundError:
            continue  # a group that went while we looked
    return tuple(sorted(set(found)))


def let_look_at(mount_point: str, path: str) -> None:
    """Give everybody the right to read a group, and to pass through those above it."""
    folder = mount_point
    for part in path.strip("/").split("/"):
        folder = f"{folder}/{part}"
        mode = os.stat(folder).st_mode
        if mode & 0o055 != 0o055:
            os.chmod(folder, mode & 0o7777 | 0o055)


def remove_tree(path: str) -> bool:
    """Remove the group at ``path`` with those below; False while processes are in one of them."""
    # Most have none below, and looking for some takes longer than all the rest.
    return _remove(path) or all(map(_remove, groups_below(path)))


def _remove(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
