"""From what the kernel counted to the statistics that clients compute percentages from.

Source: Engine API, ContainerStats; proc(5), /proc/stat and /proc/net/dev.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from knarr.kernel.cgroups import IoCount, Usage
from knarr.spec.docker.stats import (
    ContainerBlkioStatEntry,
    ContainerBlkioStats,
    ContainerCPUStats,
    ContainerCPUUsage,
    ContainerMemoryStats,
    ContainerNetworkStats,
    ContainerPidsStats,
    ContainerStats,
    ContainerStorageStats,
    ContainerThrottlingData,
)

_TICKS_A_SECOND: Final = 100  # USER_HZ: part of the kernel's promise to programs
_TICK_NS: Final = 1_000_000_000 // _TICKS_A_SECOND
_NEVER: Final = "0001-01-01T00:00:00Z"
_PIDS_UNLIMITED: Final = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The whole machine: nanoseconds that all its CPUs passed, idle too, and how many they are."""

    cpu_ns: int
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was counted for one container at one moment.

    time: as the Engine API writes it. networks: by interface; empty for the host's network.
    """

    time: str
    usage: Usage
    system: System
    networks: Mapping[str, ContainerNetworkStats] = field(default_factory=dict)


def parse_system(text: str) -> System:
    """Of /proc/stat: its first line is all CPUs together, one more for each follows.

    Counted are user, nice, system, idle, iowait, irq and softirq, as Docker does.
    """
    lines = text.splitlines()
    ticks = [int(each) for each in lines[0].split()[1:8]]
    cpus = sum(line.startswith("cpu") for line in lines) - 1
    return System(cpu_ns=sum(ticks) * _TICK_NS, cpus=cpus)


def parse_networks(text: str) -> dict[str, ContainerNetworkStats]:
    """Of /proc/<pid>/net/dev: every interface but the loopback."""
    found: dict[str, ContainerNetworkStats] = {}
    for line in text.splitlines()[2:]:
        name, colon, numbers = line.partition(":")
        if not colon or name.strip() == "lo":
            continue
        counts = [int(each) for each in numbers.split()]
        found[name.strip()] = ContainerNetworkStats(
            rx_bytes=counts[0],
            rx_packets=counts[1],
            rx_errors=counts[2],
            rx_dropped=counts[3],
            tx_bytes=counts[8],
            tx_packets=counts[9],
            tx_errors=counts[10],
            tx_dropped=counts[11],
        )
    return found


def stats(
    container_id: str,
    name: str,
    now: Reading,
    before: Reading | None,
    *,
    cgroup_version: int,
    machine_memory_bytes: int,
) -> ContainerStats:
    """The statistics at ``now``, with the CPU's share since ``before`` to be computed from.

    before: None for the first reading; clients then see no share.
    """
    v2 = cgroup_version == 2
    return ContainerStats(
        id=container_id,
        name=f"/{name}",
        os_type="linux",
        read=now.time,
        preread=before.time if before is not None else _NEVER,
        cpu_stats=_cpu(now, v2=v2),
        precpu_stats=_cpu(before, v2=v2) if before is not None else _no_cpu(),
        memory_stats=_memory(now.usage, machine_memory_bytes, v2=v2),
        pids_stats=_pids(now.usage),
        blkio_stats=_block_io(now.usage, v2=v2),
        networks=dict(now.networks) or None,
        storage_stats=ContainerStorageStats(),
    )


def stopped(container_id: str, name: str) -> ContainerStats:
    """What is told of a container that does not run."""
    return ContainerStats(
        id=container_id,
        name=f"/{name}",
        os_type="linux",
        read=_NEVER,
        preread=_NEVER,
        cpu_stats=_no_cpu(),
        precpu_stats=_no_cpu(),
        memory_stats=ContainerMemoryStats(),
        pids_stats=ContainerPidsStats(),
        blkio_stats=ContainerBlkioStats(),
        storage_stats=ContainerStorageStats(),
    )


def _no_cpu() -> ContainerCPUStats:
    return ContainerCPUStats(
        cpu_usage=ContainerCPUUsage(), throttling_data=ContainerThrottlingData()
    )


def _cpu(reading: Reading, *, v2: bool) -> ContainerCPUStats:
    usage = reading.usage
    return ContainerCPUStats(
        cpu_usage=ContainerCPUUsage(
            total_usage=usage.cpu_ns,
            percpu_usage=None if v2 else usage.cpu_each_ns,
            usage_in_kernelmode=usage.cpu_system_ns,
            usage_in_usermode=usage.cpu_user_ns,
        ),
        system_cpu_usage=reading.system.cpu_ns,
        online_cpus=reading.system.cpus,
        throttling_data=ContainerThrottlingData(
            periods=usage.cpu_periods,
            throttled_periods=usage.cpu_throttled_periods,
            throttled_time=usage.cpu_throttled_ns,
        ),
    )


def _memory(usage: Usage, machine_bytes: int, *, v2: bool) -> ContainerMemoryStats:
    """No limit, and one beyond what there is, is the machine's memory."""
    limit = usage.memory_limit_bytes
    return ContainerMemoryStats(
        usage=usage.memory_bytes,
        max_usage=None if v2 else usage.memory_peak_bytes,
        failcnt=usage.memory_failures,
        stats=dict(usage.memory_details),
        limit=machine_bytes if limit is None or limit > machine_bytes else limit,
    )


def _pids(usage: Usage) -> ContainerPidsStats:
    limit = usage.pids_limit
    return ContainerPidsStats(current=usage.pids, limit=_PIDS_UNLIMITED if limit is None else limit)


def _block_io(usage: Usage, *, v2: bool) -> ContainerBlkioStats:
    """Version 2 has bytes alone, and clients expect its words in small letters."""
    if v2:
        return ContainerBlkioStats(
            io_service_bytes_recursive=tuple(
                _entry(count, count.operation.lower()) for count in usage.io_bytes
            )
        )
    empty: tuple[ContainerBlkioStatEntry, ...] = ()
    return ContainerBlkioStats(
        io_service_bytes_recursive=tuple(
            _entry(count, count.operation) for count in usage.io_bytes
        ),
        io_serviced_recursive=tuple(
            _entry(count, count.operation) for count in usage.io_operations
        ),
        io_queue_recursive=empty,
        io_service_time_recursive=empty,
        io_wait_time_recursive=empty,
        io_merged_recursive=empty,
        io_time_recursive=empty,
        sectors_recursive=empty,
    )


def _entry(count: IoCount, operation: str) -> ContainerBlkioStatEntry:
    return ContainerBlkioStatEntry(
        major=count.major, minor=count.minor, op=operation, value=count.value
    )
