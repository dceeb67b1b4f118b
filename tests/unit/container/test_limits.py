import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.container.limits import (
    block_devices,
    cgroup_resources,
    check_ulimits,
    checked,
    number_list,
    number_set,
    rlimits,
)
from knarr.container.machine import UNLIMITED, Controllers, Machine
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import Resources, ThrottleDevice, Ulimit, WeightDevice
from knarr.spec.oci import runtime as oci

MIB = 1024**2
MACHINE = Machine(cgroup_version=1, cpus=frozenset({0, 1, 2}))
NOTHING = Controllers(**{field.name: False for field in dataclasses.fields(Controllers)})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Resources(memory=MIB), "Minimum memory limit allowed is 6MB"),
        (
            Resources(memory=64 * MIB, memory_swap=32 * MIB),
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (
            Resources(memory_swap=32 * MIB),
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ),
        (
            Resources(memory_swappiness=101),
            "Invalid value: 101, valid memory swappiness range is 0-100",
        ),
        (Resources(memory_reservation=MIB), "Minimum memory reservation allowed is 6MB"),
        (
            Resources(memory=64 * MIB, memory_reservation=128 * MIB),
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        (
            Resources(nano_cpus=1, cpu_period=1000),
            "Conflicting options: Nano CPUs and CPU Period cannot both be set",
        ),
        (
            Resources(nano_cpus=1, cpu_quota=1000),
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
        ),
        (
            Resources(nano_cpus=4_000_000_000),
            "range of CPUs is from 0.01 to 3.00, as there are only 3 CPUs available",
        ),
        (Resources(cpu_shares=-1), "invalid CPU shares (-1): value must be a positive integer"),
        (
            Resources(cpu_period=10),
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        (Resources(cpu_quota=10), "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        (
            Resources(cpu_realtime_runtime=1000),
            "kernel does not support CPU real-time scheduler",
        ),
        (
            Resources(cpuset_cpus="0-7"),
            "Requested CPUs are not available - requested 0-7, available: 0-2",
        ),
        (
            Resources(cpuset_mems="1"),
            "Requested memory nodes are not available - requested 1, available: 0",
        ),
        (
            Resources(cpuset_cpus="a"),
            "Invalid value a for cpuset cpus: invalid format: a",
        ),
        (Resources(blkio_weight=5), "Range of blkio weight is from 10 to 1000"),
        (
            Resources(io_maximum_iops=5),
            "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
        ),
    ],
)
def test_nonsense_is_refused_in_dockers_words(wanted: Resources, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        checked(wanted, MACHINE)
    assert str(caught.value) == message


def test_an_update_may_set_the_swap_limit_alone() -> None:
    assert checked(Resources(memory_swap=32 * MIB), MACHINE, update=True)[1] == ()


def test_what_the_machine_cannot_hold_is_dropped_with_a_warning() -> None:
    wanted = Resources(
        memory=64 * MIB,
        memory_swap=128 * MIB,
        memory_reservation=32 * MIB,
        memory_swappiness=10,
        oom_kill_disable=True,
        pids_limit=10,
        cpu_shares=5,
        cpu_quota=5000,
        cpuset_cpus="0",
        blkio_weight=100,
        blkio_device_read_bps=(ThrottleDevice(path="/dev/x", rate=1),),
    )
    possible, warnings = checked(wanted, dataclasses.replace(MACHINE, controllers=NOTHING))
    assert possible == Resources(memory_swap=-1)
    assert len(warnings) == 10
    assert (
        "Your kernel does not support memory limit capabilities or the cgroup is not mounted."
        " Limitation discarded." in warnings
    )


def test_without_a_swap_controller_memory_is_limited_alone() -> None:
    machine = dataclasses.replace(MACHINE, controllers=Controllers(swap=False))
    possible, warnings = checked(Resources(memory=64 * MIB, memory_swap=128 * MIB), machine)
    assert possible == Resources(memory=64 * MIB, memory_swap=-1)
    assert warnings[0].endswith("Memory limited without swap.")


def test_kernel_memory_is_discarded_with_a_warning() -> None:
    possible, warnings = checked(Resources(kernel_memory=64 * MIB), MACHINE)
    assert possible == Resources()
    assert warnings == ("Kernel memory limits are gone from the kernel. Limitation discarded.",)


def test_not_disabling_the_oom_killer_warns_of_nothing() -> None:
    machine = dataclasses.replace(MACHINE, controllers=Controllers(oom_kill_disable=False))
    assert checked(Resources(oom_kill_disable=False), machine) == (Resources(), ())


def test_a_swappiness_that_an_old_client_does_not_give_is_nothing_to_warn_of() -> None:
    machine = dataclasses.replace(MACHINE, controllers=Controllers(swappiness=False))
    possible, warnings = checked(Resources(memory_swappiness=-1), machine)
    assert (possible.memory_swappiness, warnings) == (None, ())


def test_disabling_the_oom_killer_without_a_limit_warns() -> None:
    _, warnings = checked(Resources(oom_kill_disable=True), MACHINE)
    assert warnings == (
        (
            "OOM killer is disabled for the container, but no memory limit is set, this can"
            " result in the system running out of resources."
        ),
    )


def test_limits_are_written_for_the_runtime() -> None:
    wanted = Resources(
        memory=64 * MIB,
        memory_swap=128 * MIB,
        nano_cpus=1_500_000_000,
        cpu_shares=512,
        cpuset_cpus="0,1",
        pids_limit=10,
        blkio_weight_device=(WeightDevice(path="/dev/sda", weight=200),),
        blkio_device_write_iops=(ThrottleDevice(path="/dev/sda", rate=30),),
    )
    assert block_devices(wanted) == {"/dev/sda"}
    assert cgroup_resources(wanted, (), {"/dev/sda": (8, 0)}) == oci.Resources(
        memory=oci.Memory(limit=64 * MIB, swap=128 * MIB),
        cpu=oci.Cpu(shares=512, period=100_000, quota=150_000, cpus="0,1"),
        pids=oci.Pids(limit=10),
        block_io=oci.BlockIo(
            weight_device=(oci.WeightDevice(major=8, minor=0, weight=200),),
            throttle_write_iops_device=(oci.ThrottleDevice(major=8, minor=0, rate=30),),
        ),
    )


def test_what_was_not_asked_for_is_not_written() -> None:
    assert cgroup_resources(Resources(), (), {}) == oci.Resources()


def test_a_pids_limit_of_nothing_takes_it_away() -> None:
    assert cgroup_resources(Resources(pids_limit=0), (), {}).pids == oci.Pids(limit=-1)


def test_a_limit_this_daemon_may_not_raise_is_lowered_with_a_warning() -> None:
    machine = Machine(hard_limits={"nofile": 20_000}, may_raise_limits=False)
    wanted = (Ulimit(name="nofile", soft=1_000_000, hard=1_000_000),)
    planned, warnings = rlimits(wanted, machine)
    assert planned == (oci.Rlimit(type="RLIMIT_NOFILE", soft=20_000, hard=20_000),)
    assert "20000" in warnings[0]


def test_minus_one_is_unlimited() -> None:
    planned, warnings = rlimits((Ulimit(name="core", soft=-1, hard=-1),), Machine())
    assert planned == (oci.Rlimit(type="RLIMIT_CORE", soft=UNLIMITED, hard=UNLIMITED),)
    assert warnings == ()


@pytest.mark.parametrize(
    "wrong", [Ulimit(name="fun"), Ulimit(name="core", soft=2, hard=1), Ulimit(name="cpu", soft=-1)]
)
def test_wrong_ulimits_are_refused(wrong: Ulimit) -> None:
    with pytest.raises(InvalidArgument, match=r"ulimit"):
        check_ulimits((wrong,))


@given(st.frozensets(st.integers(0, 8191), max_size=40))
def test_number_lists_read_back(numbers: frozenset[int]) -> None:
    assert number_set(number_list(numbers)) == numbers


@given(st.text(alphabet="0123456789-, a", max_size=12))
def test_number_lists_are_read_or_refused(text: str) -> None:
    try:
        numbers = number_set(text)
    except ValueError:
        return
    assert all(0 <= number <= 8191 for number in numbers)


def test_a_container_may_be_created_with_fewer_cpus_than_the_kernel_gives_out() -> None:
    possible, warnings = checked(Resources(nano_cpus=500_000), MACHINE)
    assert (possible.nano_cpus, warnings) == (500_000, ())
