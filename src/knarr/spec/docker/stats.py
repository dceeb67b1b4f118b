"""Statistics of a running container.

Source: Engine API, ContainerStats.
"""

import msgspec

from knarr.spec.document import SnakeDocument


class ContainerBlkioStatEntry(SnakeDocument, omit_defaults=False):
    major: int = 0
    minor: int = 0
    op: str = ""
    value: int = 0


class ContainerBlkioStats(SnakeDocument, omit_defaults=False):
    io_service_bytes_recursive: tuple[ContainerBlkioStatEntry, ...] = ()
    io_serviced_recursive: tuple[ContainerBlkioStatEntry, ...] | None = None
    io_queue_recursive: tuple[ContainerBlkioStatEntry, ...] | None = None
    io_service_time_recursive: tuple[ContainerBlkioStatEntry, ...] | None = None
    io_wait_time_recursive: tuple[ContainerBlkioStatEntry, ...] | None = None
    io_merged_recursive: tuple[ContainerBlkioStatEntry, ...] | None = None
    io_time_recursive: tuple[ContainerBlkioStatEntry, ...] | None = None
    sectors_recursive: tuple[ContainerBlkioStatEntry, ...] | None = None


class ContainerPidsStats(SnakeDocument, omit_defaults=False):
    current: int | None = None
    limit: int | None = None


class ContainerCPUUsage(SnakeDocument, omit_defaults=False):
    total_usage: int = 0
    percpu_usage: tuple[int, ...] | None = None
    usage_in_kernelmode: int = 0
    usage_in_usermode: int = 0


class ContainerThrottlingData(SnakeDocument, omit_defaults=False):
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class ContainerCPUStats(SnakeDocument, omit_defaults=False):
    cpu_usage: ContainerCPUUsage | None = None
    system_cpu_usage: int | None = None
    online_cpus: int | None = None
    throttling_data: ContainerThrottlingData | None = None


class ContainerMemoryStats(SnakeDocument, omit_defaults=False):
    usage: int | None = None
    max_usage: int | None = None
    stats: dict[str, int] = msgspec.field(name="stats", default_factory=dict)
    failcnt: int | None = None
    limit: int | None = None
    commitbytes: int | None = None
    commitpeakbytes: int | None = None
    privateworkingset: int | None = None


class ContainerStorageStats(SnakeDocument, omit_defaults=False):
    read_count_normalized: int | None = None
    read_size_bytes: int | None = None
    write_count_normalized: int | None = None
    write_size_bytes: int | None = None


class ContainerNetworkStats(SnakeDocument, omit_defaults=False):
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0
    endpoint_id: str | None = None
    instance_id: str | None = None


class ContainerStats(SnakeDocument, omit_defaults=False):
    id: str | None = None
    name: str | None = None
    os_type: str | None = None
    read: str = ""
    cpu_stats: ContainerCPUStats | None = None
    memory_stats: ContainerMemoryStats | None = None
    networks: dict[str, ContainerNetworkStats] | None = None
    pids_stats: ContainerPidsStats | None = None
    blkio_stats: ContainerBlkioStats | None = None
    num_procs: int = 0
    storage_stats: ContainerStorageStats | None = None
    preread: str = ""
    precpu_stats: ContainerCPUStats | None = None
