"""Facts read from the machine and from a container's root, for plans that do no I/O themselves."""

import logging
import os
import platform
import re
import resource
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from knarr.container import apparmor
from knarr.container.capabilities import CAPABILITIES
from knarr.container.devices import FoundDevices, HostDevice
from knarr.container.limits import DeviceNumbers, number_set
from knarr.container.machine import UNLIMITED, Controllers, Machine
from knarr.container.runtime_mounts import SourceFacts
from knarr.container.sysctls import DEFAULT as DEFAULT_SYSCTLS
from knarr.errors import InvalidArgument, KnarrError
from knarr.kernel.cgroups import Layout
from knarr.kernel.openat2 import openat2

# In this order: the first that is there and needs no library of the image's.
_INITS: Final = (
    "/usr/bin/tini-static", "/usr/bin/docker-init", "/usr/libexec/docker/docker-init",
    "/usr/libexec/podman/catatonit", "/usr/bin/catatonit", "/usr/bin/tini",
)  # fmt: skip
_ACCOUNT_FILE_BYTES: Final = 8 << 20
# Beneath /dev: file systems of their own, and what every container has its own of.
_NOT_DEVICES: Final = frozenset({"pts", "shm", "fd", "mqueue", "console", ".udev", ".lxc"})
HOST_ROOT: Final = (0, 0)  # user and group
_INTERPRETER: Final = 3  # PT_INTERP
_log = logging.getLogger("knarr.container")


def read_machine() -> Machine:
    """The facts about this machine and this process. Some dozens of small files: a millisecond."""
    layout = Layout.of_this_machine()
    held = _capabilities()
    return Machine(
        architecture=platform.machine(),
        kernel=_kernel(platform.release()),
        cgroup_version=layout.version,
        controllers=_controllers_v1(layout) if layout.version == 1 else _controllers_v2(layout),
        cgroup_namespaces=os.path.exists("/proc/self/ns/cgroup"),
        cpus=_cpus(layout),
        memory_nodes=_memory_nodes(layout),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        capabilities=held,
        hard_limits=_hard_limits(),
        may_raise_limits="CAP_SYS_RESOURCE" in held,
        oom_score_adj=int(_text("/proc/self/oom_score_adj") or 0),
        seccomp=os.path.exists("/proc/sys/kernel/seccomp"),
        apparmor_profile=apparmor.PROFILE if apparmor.is_enabled() else "",
        sysctls=frozenset(name for name in DEFAULT_SYSCTLS if os.path.exists(_sysctl(name))),
        thermal_paths=_thermal_paths(),
        init_path=next(filter(_is_static_program, _INITS), ""),
    )


def prepared_machine() -> Machine:
    """The facts, once the kernel knows what containers are given: AppArmor's profile.

    Where it cannot be loaded, the daemon runs and containers do not start, rather than without it.
    """
    try:
        apparmor.load_default_profile()
    except (KnarrError, OSError) as error:
        _log.error("containers will not start, but for unconfined ones: %s", error)
    return read_machine()


def _thermal_paths() -> tuple[str, ...]:
    """How often each CPU got hot: it tells one container of the others' work."""
    found = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")
    return tuple(sorted(map(str, found)))


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _sysctl(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def _kernel(release: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _capabilities() -> frozenset[str]:
    """What this process may hand out: its bounding set."""
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", _text("/proc/self/status"), re.MULTILINE)
    bits = int(found[1], 16) if found else 0
    return frozenset(name for number, name in enumerate(CAPABILITIES) if bits >> number & 1)


def _hard_limits() -> dict[str, int]:
    limits: dict[str, int] = {}
    for name in dir(resource):
        if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE":
            _, hard = resource.getrlimit(getattr(resource, name))
            limits[name.removeprefix("RLIMIT_").lower()] = UNLIMITED if hard == -1 else hard
    limits["locks"] = UNLIMITED  # the kernel has long stopped counting them
    return limits


def _controllers_v1(layout: Layout) -> Controllers:
    """By the files that a group really has."""

    def has(controller: str, file: str) -> bool:
        mount_point = layout.controllers.get(controller)
        return mount_point is not None and os.path.exists(f"{mount_point}/{file}")

    memory, cpu = partial(has, "memory"), partial(has, "cpu")
    return Controllers(
        memory=memory("memory.limit_in_bytes"),
        swap=memory("memory.memsw.limit_in_bytes"),
        memory_reservation=memory("memory.soft_limit_in_bytes"),
        swappiness=memory("memory.swappiness"),
        oom_kill_disable=memory("memory.oom_control"),
        pids="pids" in layout.controllers,
        cpu_shares=cpu("cpu.shares"),
        cpu_quota=cpu("cpu.cfs_quota_us"),
        cpu_realtime=cpu("cpu.rt_runtime_us"),
        cpuset="cpuset" in layout.controllers,
        block_weight=has("blkio", "blkio.weight") or has("blkio", "blkio.bfq.weight"),
        block_throttle=has("blkio", "blkio.throttle.read_bps_device"),
    )


def _controllers_v2(layout: Layout) -> Controllers:
    """By the controllers that can be handed down; the root group has no limit files to look at."""
    given = _text(f"{layout.unified}/cgroup.controllers").split()
    return Controllers(
        memory="memory" in given,
        swap="memory" in given and os.path.exists("/proc/swaps"),
        memory_reservation="memory" in given,
        swappiness=False,
        oom_kill_disable=False,
        pids="pids" in given,
        cpu_shares="cpu" in given,
        cpu_quota="cpu" in given,
        cpu_realtime=False,
        cpuset="cpuset" in given,
        block_weight="io" in given,
        block_throttle="io" in given,
    )


def _cpus(layout: Layout) -> frozenset[int]:
    return _numbers(layout, "cpus") or frozenset(os.sched_getaffinity(0))


def _memory_nodes(layout: Layout) -> frozenset[int]:
    return _numbers(layout, "mems") or frozenset({0})


def _numbers(layout: Layout, what: str) -> frozenset[int]:
    """The CPUs or memory nodes that the root of the hierarchy has."""
    v1 = layout.controllers.get("cpuset")
    path = f"{v1}/cpuset.{what}" if v1 else f"{layout.unified}/cpuset.{what}.effective"
    return number_set(_text(path))


def _is_static_program(path: str) -> bool:
    """Whether a program needs no interpreter: an ELF file without PT_INTERP."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    if head[:4] != b"\x7fELF" or head[4] != 2 or not os.access(path, os.X_OK):
        return False
    start = int.from_bytes(head[32:40], "little")
    size = int.from_bytes(head[54:56], "little")
    count = int.from_bytes(head[56:58], "little")
    kinds = (head[start + size * each : start + size * each + 4] for each in range(count))
    return all(int.from_bytes(kind, "little") != _INTERPRETER for kind in kinds)


def host_device(path: str) -> HostDevice | None:
    """The device node at ``path``, links followed; None where there is none."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    kinds = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}
    kind = kinds.get(stat.S_IFMT(facts.st_mode))
    if kind is None:
        return None
    return HostDevice(
        path=path,
        type=kind,
        major=os.major(facts.st_rdev),
        minor=os.minor(facts.st_rdev),
        mode=stat.S_IMODE(facts.st_mode),
        uid=facts.st_uid,
        gid=facts.st_gid,
    )


def found_devices(paths: Iterable[str]) -> FoundDevices:
    """For each path the device there, or all devices beneath a directory."""
    return {path: tuple(_devices_at(path)) for path in paths}


def _devices_at(path: str) -> Iterator[HostDevice]:
    if (device := host_device(path)) is not None:
        yield device
        return
    for folder, _, names in os.walk(path):
        for name in sorted(names):
            if (found := host_device(f"{folder}/{name}")) is not None:
                yield found


def host_devices(root: str = "/dev") -> tuple[HostDevice, ...]:
    """Every device node of the host, for a privileged container. Links are no devices."""
    found: list[HostDevice] = []
    for folder, folders, names in os.walk(root):
        if folder == root:
            folders[:] = [name for name in folders if name not in _NOT_DEVICES]
            names = [name for name in names if name not in _NOT_DEVICES]
        for name in names:
            path = f"{folder}/{name}"
            if not os.path.islink(path) and (device := host_device(path)) is not None:
                found.append(device)
    return tuple(found)


def block_device_numbers(paths: Iterable[str]) -> DeviceNumbers:
    """Major and minor of each path. Raises InvalidArgument where there is no device."""
    numbers: dict[str, tuple[int, int]] = {}
    for path in paths:
        if (device := host_device(path)) is None:
            raise InvalidArgument(f"stat {path}: no such file or directory")
        numbers[path] = (device.major, device.minor)
    return numbers


def source_facts(paths: Iterable[str]) -> dict[str, SourceFacts]:
    """What is at each path, links followed; paths with nothing are left out."""
    found: dict[str, SourceFacts] = {}
    for path in paths:
        with suppress(OSError):
            facts = os.stat(path)
            found[path] = SourceFacts(
                is_folder=stat.S_ISDIR(facts.st_mode), uid=facts.st_uid, gid=facts.st_gid
            )
    return found


def account_files(rootfs: str) -> tuple[str, str]:
    """The text of /etc/passwd and /etc/group in a container's root, empty where they are not.

    Links in the image lead to places in the image, never to the host's.
    """
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _inside(root, "etc/passwd"), _inside(root, "etc/group")
    finally:
        os.close(root)


def _inside(root: int, path: str) -> str:
    with suppress(OSError):
        file = openat2(root, path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as opened:
            if stat.S_ISREG(os.fstat(file).st_mode):
                return opened.read(_ACCOUNT_FILE_BYTES).decode(errors="surrogateescape")
    return ""


def make_working_directory(rootfs: str, path: str, owner: tuple[int, int] = HOST_ROOT) -> None:
    """Make the working directory, and what lies above it, where they are missing.

    Raises InvalidArgument in Docker's words where something else is there.
    """
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        parent, place = os.dup(root), ""
        for part in filter(None, path.split("/")):
            place += f"/{part}"
            try:
                folder = _made_folder(root, parent, place, owner)
            finally:
                os.close(parent)
            parent = folder
        os.close(parent)
    except (NotADirectoryError, FileExistsError) as error:
        raise InvalidArgument(f"Cannot mkdir: {path} is not a directory") from error
    finally:
        os.close(root)


def _made_folder(root: int, parent: int, place: str, owner: tuple[int, int]) -> int:
    """The directory at ``place``, made in ``parent`` (which is open) where it is missing."""
    flags = os.O_PATH | os.O_DIRECTORY
    with suppress(FileNotFoundError):
        return openat2(root, place, flags)
    name = os.path.basename(place)
    os.mkdir(name, 0o755, dir_fd=parent)
    os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
    return openat2(root, place, flags)
