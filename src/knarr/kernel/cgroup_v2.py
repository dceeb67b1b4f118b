"""A control group of version 2: one hierarchy, one folder.

Limits come in version 1's terms; the conversions are those that runc and crun agree on, so that a
container looks the same whether a runtime or an update wrote its files.
Source: kernel documentation, cgroup-v2; OCI runtime-spec; opencontainers/cgroups.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final

from knarr.kernel.cgroups import (
    DeviceRate,
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

_OPERATIONS: Final = {"rbytes": "Read", "wbytes": "Write", "rios": "Read", "wios": "Write"}
_DEFAULT_PERIOD_US: Final = 100_000


class CgroupV2:
    """Implements Cgroup. Devices are not here: on version 2 they are a program of the runtime's."""

    def __init__(self, layout: Layout, path: str) -> None:
        self.path = path
        self._folder = f"{layout.unified}{path}"
        self._root = layout.unified or ""

    def writes(self, limits: Limits) -> tuple[Write, ...]:
        return tuple(_writes(limits))

    def create(self) -> None:
        """With every controller of the group above handed down: processes may be in leaves only."""
        parts = self.path.strip("/").split("/")
        above = self._root
        for part in parts:
            controllers = read_text(f"{above}/cgroup.controllers").split()
            for name in controllers:
                write_text(f"{above}/cgroup.subtree_control", f"+{name}")
            above = f"{above}/{part}"
            os.makedirs(above, exist_ok=True)

    def let_look(self) -> None:
        let_look_at(self._root, self.path)

    def entrances(self) -> tuple[int, ...]:
        return (os.open(f"{self._folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC),)

    def apply(self, writes: Iterable[Write]) -> None:
        apply_all((f"{self._folder}/{write.file}", write.value) for write in writes)

    def usage(self) -> Usage:
        cpu = self._pairs("cpu.stat")
        return Usage(
            cpu_ns=cpu.get("usage_usec", 0) * 1000,
            cpu_user_ns=cpu.get("user_usec", 0) * 1000,
            cpu_system_ns=cpu.get("system_usec", 0) * 1000,
            cpu_periods=cpu.get("nr_periods", 0),
            cpu_throttled_periods=cpu.get("nr_throttled", 0),
            cpu_throttled_ns=cpu.get("throttled_usec", 0) * 1000,
            memory_bytes=self._number("memory.current") or 0,
            memory_peak_bytes=self._number("memory.peak"),
            memory_limit_bytes=self._number("memory.max"),
            memory_failures=self._pairs("memory.events").get("oom"),
            memory_details=self._pairs("memory.stat"),
            pids=self._number("pids.current") or 0,
            pids_limit=self._number("pids.max"),
            io_bytes=tuple(self._io("rbytes", "wbytes")),
            io_operations=tuple(self._io("rios", "wios")),
        )

    def processes(self) -> tuple[int, ...]:
        return processes_below(self._folder)

    def freeze(self) -> None:
        write_text(f"{self._folder}/cgroup.freeze", "1")

    def thaw(self) -> None:
        write_text(f"{self._folder}/cgroup.freeze", "0")

    def frozen(self) -> bool:
        return read_pairs(f"{self._folder}/cgroup.events").get("frozen") == 1

    def oom_kills(self) -> int:
        return read_pairs(f"{self._folder}/memory.events").get("oom_kill", 0)

    def oom_source(self) -> str | int:
        return f"{self._folder}/memory.events"

    def remove(self) -> bool:
        return remove_tree(self._folder)

    def _pairs(self, file: str) -> dict[str, int]:
        """Nothing from a controller that is not handed down to this group."""
        try:
            return read_pairs(f"{self._folder}/{file}")
        except FileNotFoundError:
            return {}

    def _number(self, file: str) -> int | None:
        try:
            return read_number(f"{self._folder}/{file}")
        except FileNotFoundError:
            return None

    def _io(self, *keys: str) -> Iterator[IoCount]:
        try:
            text = read_text(f"{self._folder}/io.stat")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            place, *counts = line.split()
            major, _, minor = place.partition(":")
            for key, _, value in (count.partition("=") for count in counts):
                if key in keys:
                    yield IoCount(int(major), int(minor), _OPERATIONS[key], int(value))


def weight_of_shares(shares: int) -> int:
    """``cpu.weight`` (1 to 10000) of ``cpu.shares`` (2 to 262144)."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def weight_of_io(weight: int) -> int:
    """``io.weight`` (1 to 10000) of ``blkio.weight`` (10 to 1000)."""
    return 1 + (weight - 10) * 9999 // 990


def _writes(limits: Limits) -> Iterator[Write]:
    yield from _memory(limits)
    yield from _cpu(limits)
    yield from _io(limits)
    if limits.pids is not None:
        yield Write("pids", "pids.max", str(limits.pids) if limits.pids > 0 else "max")
    for page, size_bytes in limits.huge_pages.items():
        yield Write("hugetlb", f"hugetlb.{page}.max", str(size_bytes))
    for file, value in limits.unified.items():
        yield Write(file.partition(".")[0], file, value)


def _memory(limits: Limits) -> Iterator[Write]:
    swap = limits.memory_swap_bytes
    if swap is not None:
        # Version 1 counts memory and swap together, version 2 swap alone.
        alone = swap if swap < 0 else swap - (limits.memory_bytes or 0)
        yield Write("memory", "memory.swap.max", _or_max(alone))
    if limits.memory_bytes is not None:
        yield Write("memory", "memory.max", _or_max(limits.memory_bytes))
    if limits.memory_reservation_bytes is not None:
        yield Write("memory", "memory.low", _or_max(limits.memory_reservation_bytes))


def _cpu(limits: Limits) -> Iterator[Write]:
    if limits.cpu_shares:
        yield Write("cpu", "cpu.weight", str(weight_of_shares(limits.cpu_shares)))
    if limits.cpu_quota_us is not None or limits.cpu_period_us is not None:
        quota = limits.cpu_quota_us or 0
        period = limits.cpu_period_us or _DEFAULT_PERIOD_US
        yield Write("cpu", "cpu.max", f"{quota if quota > 0 else 'max'} {period}")
    if limits.cpus:
        yield Write("cpuset", "cpuset.cpus", limits.cpus)
    if limits.memory_nodes:
        yield Write("cpuset", "cpuset.mems", limits.memory_nodes)


def _io(limits: Limits) -> Iterator[Write]:
    if limits.io_weight:
        yield Write("io", "io.weight", f"default {weight_of_io(limits.io_weight)}")
    for device in limits.io_weight_devices:
        value = f"{device.major}:{device.minor} {weight_of_io(device.rate)}"
        yield Write("io", "io.weight", value)
    rates: tuple[tuple[str, tuple[DeviceRate, ...]], ...] = (
        ("rbps", limits.read_bytes),
        ("wbps", limits.write_bytes),
        ("riops", limits.read_operations),
        ("wiops", limits.write_operations),
    )
    for key, devices in rates:
        for device in devices:
            yield Write("io", "io.max", f"{device.major}:{device.minor} {key}={device.rate}")


def _or_max(size_bytes: int) -> str:
    return "max" if size_bytes < 0 else str(size_bytes)
