"""A control group of version 1: the same path in every hierarchy that is mounted."""

import os
from collections.abc import Iterable, Iterator
from typing import Final

from knarr.kernel.cgroups import (
    DeviceRate,
    DeviceRule,
    IoCount,
    Layout,
    Limits,
    Usage,
    Write,
    apply_all,
    let_look_at,
    processes_below,
    read_number,
    read_pairs,
    read_text,
    remove_tree,
    write_text,
)

_CPUSET_FILES: Final = ("cpuset.cpus", "cpuset.mems")
_UNLIMITED: Final = 1 << 62  # the kernel shows "no limit" as the largest multiple of a page


class CgroupV1:
    """Implements Cgroup."""

    def __init__(self, layout: Layout, path: str) -> None:
        self._layout = layout
        self.path = path

    def writes(self, limits: Limits) -> tuple[Write, ...]:
        return tuple(_writes(limits))

    def create(self) -> None:
        for mount_point in self._mount_points():
            _make(mount_point + self.path, mount_point)

    def let_look(self) -> None:
        for mount_point in self._mount_points():
            let_look_at(mount_point, self.path)

    def entrances(self) -> tuple[int, ...]:
        opened: list[int] = []
        try:
            for mount_point in self._mount_points():
                path = f"{mount_point}{self.path}/tasks"
                opened.append(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            for entrance in opened:
                os.close(entrance)
            raise
        return tuple(opened)

    def apply(self, writes: Iterable[Write]) -> None:
        apply_all((self._file(write.controller, write.file), write.value) for write in writes)

    def usage(self) -> Usage:
        cpu = read_pairs(self._file("cpuacct", "cpuacct.stat"))
        tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        throttling = read_pairs(self._file("cpu", "cpu.stat"))
        memory_limit = read_number(self._file("memory", "memory.limit_in_bytes"))
        return Usage(
            cpu_ns=read_number(self._file("cpuacct", "cpuacct.usage")) or 0,
            cpu_user_ns=cpu.get("user", 0) * tick_ns,
            cpu_system_ns=cpu.get("system", 0) * tick_ns,
            cpu_each_ns=tuple(
                map(int, read_text(self._file("cpuacct", "cpuacct.usage_percpu")).split())
            ),
            cpu_periods=throttling.get("nr_periods", 0),
            cpu_throttled_periods=throttling.get("nr_throttled", 0),
            cpu_throttled_ns=throttling.get("throttled_time", 0),
            memory_bytes=read_number(self._file("memory", "memory.usage_in_bytes")) or 0,
            memory_peak_bytes=read_number(self._file("memory", "memory.max_usage_in_bytes")),
            memory_limit_bytes=memory_limit if (memory_limit or 0) < _UNLIMITED else None,
            memory_failures=read_number(self._file("memory", "memory.failcnt")),
            memory_details=read_pairs(self._file("memory", "memory.stat")),
            pids=read_number(self._file("pids", "pids.current")) or 0,
            pids_limit=read_number(self._file("pids", "pids.max")),
            io_bytes=self._io("io_service_bytes"),
            io_operations=self._io("io_serviced"),
        )

    def processes(self) -> tuple[int, ...]:
        return processes_below(self._folder("pids"))

    def freeze(self) -> None:
        write_text(self._file("freezer", "freezer.state"), "FROZEN")

    def thaw(self) -> None:
        write_text(self._file("freezer", "freezer.state"), "THAWED")

    def frozen(self) -> bool:
        return read_text(self._file("freezer", "freezer.state")).strip() == "FROZEN"

    def oom_kills(self) -> int:
        return read_pairs(self._file("memory", "memory.oom_control")).get("oom_kill", 0)

    def oom_source(self) -> str | int:
        """Source: Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control"."""
        control = os.open(self._file("memory", "memory.oom_control"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            try:
                write_text(self._file("memory", "cgroup.event_control"), f"{bell} {control}")
            except OSError:
                os.close(bell)
                raise
        finally:
            os.close(control)
        return bell

    def remove(self) -> bool:
        places = [*self._mount_points()]
        if self._layout.unified is not None:
            places.append(self._layout.unified)  # some runtimes make a group there too
        busy = [place for place in places if not remove_tree(place + self.path)]
        return not busy

    def _mount_points(self) -> Iterable[str]:
        """Each once: ``cpu`` and ``cpuacct`` are often one hierarchy."""
        return dict.fromkeys(self._layout.controllers.values())

    def _folder(self, controller: str) -> str:
        if (mount_point := self._layout.controllers.get(controller)) is None:
            raise FileNotFoundError(2, "this machine does not mount the controller", controller)
        return mount_point + self.path

    def _file(self, controller: str, file: str) -> str:
        return f"{self._folder(controller)}/{file}"

    def _io(self, name: str) -> tuple[IoCount, ...]:
        """The counters of the scheduler that has some: bfq for itself, else those of throttling."""
        for prefix in ("blkio.bfq", "blkio.throttle"):
            try:
                text = read_text(self._file("blkio", f"{prefix}.{name}_recursive"))
            except FileNotFoundError:
                continue
            if counts := tuple(_io_counts(text)):
                return counts
        return ()


def _make(folder: str, mount_point: str) -> None:
    """The group at ``folder``; where it counts with CPUs and memory, or nobody may enter."""
    try:
        os.mkdir(folder)
    except FileExistsError:
        pass
    except FileNotFoundError:
        _make(os.path.dirname(folder), mount_point)
        os.mkdir(folder)
    if os.path.exists(f"{mount_point}/cpuset.cpus"):
        for name in _CPUSET_FILES:
            if not read_text(f"{folder}/{name}").strip():
                write_text(f"{folder}/{name}", read_text(f"{os.path.dirname(folder)}/{name}"))


def _io_counts(text: str) -> Iterator[IoCount]:
    for line in text.splitlines():
        place, _, rest = line.partition(" ")
        operation, _, value = rest.partition(" ")
        major, colon, minor = place.partition(":")
        if colon:
            yield IoCount(int(major), int(minor), operation, int(value))


def _writes(limits: Limits) -> Iterator[Write]:
    yield from _memory(limits)
    yield from _cpu(limits)
    yield from _io(limits)
    if limits.pids is not None:
        yield Write("pids", "pids.max", str(limits.pids) if limits.pids > 0 else "max")
    for page, size_bytes in limits.huge_pages.items():
        yield Write("hugetlb", f"hugetlb.{page}.limit_in_bytes", str(size_bytes))
    for rule in limits.devices:
        yield Write("devices", f"devices.{'allow' if rule.allow else 'deny'}", _device(rule))


def _memory(limits: Limits) -> Iterator[Write]:
    for file, value in (
        ("limit_in_bytes", limits.memory_bytes),
        ("soft_limit_in_bytes", limits.memory_reservation_bytes),
        ("memsw.limit_in_bytes", limits.memory_swap_bytes),
        ("swappiness", limits.memory_swappiness),
    ):
        if value is not None:
            yield Write("memory", f"memory.{file}", str(value))
    if limits.oom_kill_disable is not None:
        yield Write("memory", "memory.oom_control", str(int(limits.oom_kill_disable)))


def _cpu(limits: Limits) -> Iterator[Write]:
    for file, value in (
        ("shares", limits.cpu_shares),
        ("cfs_period_us", limits.cpu_period_us),
        ("cfs_quota_us", limits.cpu_quota_us),
        ("rt_period_us", limits.cpu_realtime_period_us),
        ("rt_runtime_us", limits.cpu_realtime_runtime_us),
    ):
        if value is not None:
            yield Write("cpu", f"cpu.{file}", str(value))
    if limits.cpus:
        yield Write("cpuset", "cpuset.cpus", limits.cpus)
    if limits.memory_nodes:
        yield Write("cpuset", "cpuset.mems", limits.memory_nodes)


def _io(limits: Limits) -> Iterator[Write]:
    if limits.io_weight is not None:
        yield Write("blkio", "blkio.bfq.weight", str(limits.io_weight))
    rates: tuple[tuple[str, tuple[DeviceRate, ...]], ...] = (
        ("bfq.weight_device", limits.io_weight_devices),
        ("throttle.read_bps_device", limits.read_bytes),
        ("throttle.write_bps_device", limits.write_bytes),
        ("throttle.read_iops_device", limits.read_operations),
        ("throttle.write_iops_device", limits.write_operations),
    )
    for file, devices in rates:
        for device in devices:
            value = f"{device.major}:{device.minor} {device.rate}"
            yield Write("blkio", f"blkio.{file}", value)


def _device(rule: DeviceRule) -> str:
    major = "*" if rule.major is None else rule.major
    minor = "*" if rule.minor is None else rule.minor
    return f"{rule.type or 'a'} {major}:{minor} {rule.access}"
