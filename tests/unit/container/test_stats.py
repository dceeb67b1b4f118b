from knarr.container.stats import Reading, System, parse_networks, parse_system, stats, stopped
from knarr.kernel.cgroups import IoCount, Usage
from knarr.spec.docker.stats import ContainerNetworkStats, ContainerStats

PROC_STAT = """\
cpu  100 2 30 4000 5 6 7 8 9 10
cpu0 50 1 15 2000 2 3 3 4 4 5
cpu1 50 1 15 2000 3 3 4 4 5 5
intr 1 2 3
ctxt 4
"""
NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0
  eth0: 1234567     890    1    2    0     0          0         0     7654     321    3    4    0
"""
USAGE = Usage(
    cpu_ns=5_000,
    cpu_user_ns=3_000,
    cpu_system_ns=1_000,
    cpu_each_ns=(2_000, 3_000),
    cpu_periods=7,
    cpu_throttled_periods=2,
    cpu_throttled_ns=99,
    memory_bytes=1 << 20,
    memory_peak_bytes=1 << 21,
    memory_limit_bytes=1 << 25,
    memory_failures=3,
    memory_details={"cache": 5, "total_inactive_file": 4},
    pids=2,
    pids_limit=None,
    io_bytes=(IoCount(254, 0, "Read", 4096), IoCount(254, 0, "Write", 0)),
    io_operations=(IoCount(254, 0, "Read", 1),),
)
MEMORY = 1 << 34


def told(version: int, *, before: Reading | None = None, usage: Usage = USAGE) -> ContainerStats:
    now = Reading(time="now", usage=usage, system=System(cpu_ns=10_000, cpus=2))
    return stats("c1", "web", now, before, cgroup_version=version, machine_memory_bytes=MEMORY)


def test_the_machines_cpu_time_is_read() -> None:
    assert parse_system(PROC_STAT) == System(
        cpu_ns=(100 + 2 + 30 + 4000 + 5 + 6 + 7) * 10_000_000, cpus=2
    )


def test_interfaces_are_read_but_for_the_loopback() -> None:
    assert parse_networks(NET_DEV) == {
        "eth0": ContainerNetworkStats(
            rx_bytes=1234567, rx_packets=890, rx_errors=1, rx_dropped=2,
            tx_bytes=7654, tx_packets=321, tx_errors=3, tx_dropped=4,
        )
    }  # fmt: skip


def test_clients_can_compute_the_share_of_the_cpus() -> None:
    earlier = Usage(cpu_ns=3_000)
    before = Reading(time="before", usage=earlier, system=System(cpu_ns=6_000, cpus=2))
    found = told(1, before=before)
    assert found.cpu_stats
    assert found.precpu_stats
    assert found.cpu_stats.cpu_usage
    assert found.precpu_stats.cpu_usage
    used = found.cpu_stats.cpu_usage.total_usage - found.precpu_stats.cpu_usage.total_usage
    passed = (found.cpu_stats.system_cpu_usage or 0) - (found.precpu_stats.system_cpu_usage or 0)
    assert used / passed * (found.cpu_stats.online_cpus or 0) * 100 == 100.0
    assert (found.preread, found.read) == ("before", "now")


def test_version_1_has_what_its_clients_read() -> None:
    found = told(1)
    assert found.cpu_stats
    assert found.cpu_stats.cpu_usage
    assert found.cpu_stats.cpu_usage.percpu_usage == (2_000, 3_000)
    assert found.memory_stats
    assert found.memory_stats.max_usage == 1 << 21
    assert found.memory_stats.limit == 1 << 25
    assert found.memory_stats.stats["total_inactive_file"] == 4
    assert found.blkio_stats
    assert [entry.op for entry in found.blkio_stats.io_service_bytes_recursive] == ["Read", "Write"]
    assert found.blkio_stats.sectors_recursive == ()


def test_version_2_has_what_its_clients_read() -> None:
    found = told(2)
    assert found.cpu_stats
    assert found.cpu_stats.cpu_usage
    assert found.cpu_stats.cpu_usage.percpu_usage is None
    assert found.memory_stats
    assert found.memory_stats.max_usage is None
    assert found.blkio_stats
    assert [entry.op for entry in found.blkio_stats.io_service_bytes_recursive] == ["read", "write"]
    assert found.blkio_stats.io_serviced_recursive is None


def test_no_limit_is_what_the_machine_has() -> None:
    for limit in (None, 1 << 60):
        found = told(1, usage=USAGE._replace(memory_limit_bytes=limit))
        assert found.memory_stats
        assert found.memory_stats.limit == MEMORY


def test_the_first_reading_has_no_share() -> None:
    found = told(1)
    assert found.preread == "0001-01-01T00:00:00Z"
    assert found.precpu_stats
    assert found.precpu_stats.system_cpu_usage is None


def test_a_container_that_does_not_run_used_nothing() -> None:
    found = stopped("c1", "web")
    assert found.name == "/web"
    assert found.memory_stats
    assert found.memory_stats.usage is None
