"""What a container may use: checked against the machine, then written as the runtime spec has it.

Source: Engine API, Resources; OCI runtime-spec, config-linux.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from knarr.container.machine import UNLIMITED, Machine
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import Resources, ThrottleDevice, Ulimit
from knarr.spec.oci import runtime as oci

R = TypeVar("R", bound=Resources)
DeviceNumbers = Mapping[str, tuple[int, int]]  # major and minor, by path on the host

_MEMORY_MIN_BYTES: Final = 6 * 1024**2  # with less, no runtime gets as far as the program
_CPU_PERIOD_US: Final = 100_000
_RLIMITS: Final = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip


class _Need(NamedTuple):
    """A field which, without a controller, is emptied, and the words that tell of it."""

    field: str
    controller: str
    empty: Any
    lacking: str
    outcome: str


_NEEDS: Final = tuple(
    _Need(*row)
    for row in (
        ("memory", "memory", 0, "memory limit capabilities", "Limitation discarded."),
        ("memory_swappiness", "swappiness", None, "memory swappiness capabilities",
         "Memory swappiness discarded."),
        ("memory_reservation", "memory_reservation", 0, "memory soft limit capabilities",
         "Limitation discarded."),
        ("pids_limit", "pids", None, "PIDs limit capabilities", "PIDs limit discarded."),
        ("cpu_shares", "cpu_shares", 0, "CPU shares", "Shares discarded."),
        ("cpu_period", "cpu_quota", 0, "CPU CFS scheduler", "CPU period discarded."),
        ("cpu_quota", "cpu_quota", 0, "CPU CFS scheduler", "CPU quota discarded."),
        ("cpuset_cpus", "cpuset", "", "cpuset", "Cpuset discarded."),
        ("cpuset_mems", "cpuset", "", "cpuset", "Cpuset discarded."),
        ("blkio_weight", "block_weight", 0, "Block I/O weight", "Weight discarded."),
        ("blkio_weight_device", "block_weight", (), "Block I/O weight_device",
         "Weight-device discarded."),
        ("blkio_device_read_bps", "block_throttle", (), "BPS Block I/O read limit",
         "Block I/O BPS read limit discarded."),
        ("blkio_device_write_bps", "block_throttle", (), "BPS Block I/O write limit",
         "Block I/O BPS write limit discarded."),
        ("blkio_device_read_iops", "block_throttle", (), "IOPS Block read limit",
         "Block I/O IOPS read limit discarded."),
        ("blkio_device_write_iops", "block_throttle", (), "IOPS Block write limit",
         "Block I/O IOPS write limit discarded."),
    )
)  # fmt: skip


def checked(wanted: R, machine: Machine, *, update: bool = False) -> tuple[R, tuple[str, ...]]:
    """What of ``wanted`` this machine can hold, and warnings about what it cannot.

    update: of a container that has limits already, so that a swap limit may stand alone.
    Raises InvalidArgument, in Docker's words, for what makes no sense anywhere.
    """
    if wanted.memory and wanted.memory < _MEMORY_MIN_BYTES:
        raise InvalidArgument("Minimum memory limit allowed is 6MB")
    possible, warnings = _discarded(wanted, machine)
    _check_memory(possible, update=update)
    _check_cpu(possible, machine)
    _check_cpuset(possible, machine)
    _check_block_io(possible)
    if possible.oom_kill_disable and not possible.memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can"
            " result in the system running out of resources."
        )
    return possible, tuple(dict.fromkeys(warnings))


def _discarded(wanted: R, machine: Machine) -> tuple[R, list[str]]:
    warnings: list[str] = []
    emptied: dict[str, Any] = {}
    if wanted.memory_swappiness == -1:  # how old clients write "not given"
        wanted = replace(wanted, memory_swappiness=None)
    for need in _NEEDS:
        given = getattr(wanted, need.field)
        if given == need.empty or getattr(machine.controllers, need.controller):
            continue
        emptied[need.field] = need.empty
        if need.field != "pids_limit" or given > 0:
            warnings.append(
                f"Your kernel does not support {need.lacking} or the cgroup is not mounted."
                f" {need.outcome}"
            )
    if "memory" in emptied:
        emptied["memory_swap"] = -1
    elif wanted.memory and wanted.memory_swap != -1 and not machine.controllers.swap:
        emptied["memory_swap"] = -1
        warnings.append(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted."
            " Memory limited without swap."
        )
    if wanted.oom_kill_disable is not None and not machine.controllers.oom_kill_disable:
        emptied["oom_kill_disable"] = None
        if wanted.oom_kill_disable:
            warnings.append(
                "Your kernel does not support OomKillDisable. OomKillDisable discarded."
            )
    if wanted.kernel_memory:
        emptied["kernel_memory"] = UNSET
        warnings.append("Kernel memory limits are gone from the kernel. Limitation discarded.")
    return replace(wanted, **emptied), warnings


def _check_memory(wanted: Resources, *, update: bool) -> None:
    swap, memory, reservation = wanted.memory_swap, wanted.memory, wanted.memory_reservation
    if 0 < swap < memory:
        raise InvalidArgument(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if swap > 0 and not memory and not update:
        raise InvalidArgument(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    if wanted.memory_swappiness is not None and not 0 <= wanted.memory_swappiness <= 100:
        raise InvalidArgument(
            f"Invalid value: {wanted.memory_swappiness}, valid memory swappiness range is 0-100"
        )
    if 0 < reservation < _MEMORY_MIN_BYTES:
        raise InvalidArgument("Minimum memory reservation allowed is 6MB")
    if 0 < memory < reservation:
        raise InvalidArgument(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )


def _check_cpu(wanted: Resources, machine: Machine) -> None:
    for name, given in (("Period", wanted.cpu_period), ("Quota", wanted.cpu_quota)):
        if wanted.nano_cpus > 0 and given > 0:
            raise InvalidArgument(
                f"Conflicting options: Nano CPUs and CPU {name} cannot both be set"
            )
    if wanted.nano_cpus > 0 and not machine.controllers.cpu_quota:
        raise InvalidArgument(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the"
            " cgroup is not mounted"
        )
    count = len(machine.cpus)
    # Less than 0.01, which the kernel refuses at the start, Docker lets one create, and clients do.
    if not 0 <= wanted.nano_cpus <= count * 1_000_000_000:
        raise InvalidArgument(
            f"range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
        )
    if wanted.cpu_shares < 0:
        raise InvalidArgument(
            f"invalid CPU shares ({wanted.cpu_shares}): value must be a positive integer"
        )
    if wanted.cpu_period and not 1_000 <= wanted.cpu_period <= 1_000_000:
        raise InvalidArgument(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < wanted.cpu_quota < 1_000:
        raise InvalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    _check_real_time(wanted, machine)


def _check_real_time(wanted: Resources, machine: Machine) -> None:
    period, runtime = wanted.cpu_realtime_period, wanted.cpu_realtime_runtime
    if (period or runtime) and not machine.controllers.cpu_realtime:
        raise InvalidArgument("kernel does not support CPU real-time scheduler")
    if period and runtime > period:
        raise InvalidArgument("cpu real-time runtime cannot be higher than cpu real-time period")


def _check_cpuset(wanted: Resources, machine: Machine) -> None:
    for what, title, given, available in (
        ("cpus", "CPUs", wanted.cpuset_cpus, machine.cpus),
        ("mems", "memory nodes", wanted.cpuset_mems, machine.memory_nodes),
    ):
        try:
            numbers = number_set(given)
        except ValueError as error:
            raise InvalidArgument(f"Invalid value {given} for cpuset {what}: {error}") from error
        if not numbers <= available:
            raise InvalidArgument(
                f"Requested {title} are not available - requested {given},"
                f" available: {number_list(available)}"
            )


def _check_block_io(wanted: Resources) -> None:
    if wanted.blkio_weight and not 10 <= wanted.blkio_weight <= 1000:
        raise InvalidArgument("Range of blkio weight is from 10 to 1000")
    if wanted.io_maximum_bandwidth or wanted.io_maximum_iops:
        raise InvalidArgument(
            "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps"
        )
    if wanted.cpu_count or wanted.cpu_percent:
        raise InvalidArgument("linux does not support CPU count and CPU percent: use NanoCpus")


def number_set(text: str) -> frozenset[int]:
    """The numbers of a kernel list such as ``0-3,7``. Raises ValueError."""
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"invalid format: {text}")
        low, high = int(first), int(last) if dash else int(first)
        if low > high or high > 8191:  # the most CPUs that a kernel can be built for
            raise ValueError(f"invalid format: {text}")
        numbers.update(range(low, high + 1))
    return frozenset(numbers)


def number_list(numbers: frozenset[int]) -> str:
    """The inverse: ``0-3,7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in runs)


def cgroup_resources(
    wanted: Resources, devices: Sequence[oci.DeviceRule], numbers: DeviceNumbers
) -> oci.Resources:
    """The limits as the runtime spec has them; what was not asked for is absent.

    numbers: of every block device that ``wanted`` names.
    """
    return oci.Resources(
        devices=tuple(devices),
        memory=_memory(wanted),
        cpu=_cpu(wanted),
        pids=_pids(wanted),
        block_io=_block_io(wanted, numbers),
    )


def _memory(wanted: Resources) -> oci.Memory | None:
    memory = oci.Memory(
        limit=wanted.memory or None,
        reservation=wanted.memory_reservation or None,
        swap=wanted.memory_swap or None,
        swappiness=wanted.memory_swappiness,
        disable_oom_killer=wanted.oom_kill_disable or None,
    )
    return memory if memory != oci.Memory() else None


def _cpu(wanted: Resources) -> oci.Cpu | None:
    period, quota = wanted.cpu_period, wanted.cpu_quota
    if wanted.nano_cpus:
        period, quota = _CPU_PERIOD_US, wanted.nano_cpus * _CPU_PERIOD_US // 1_000_000_000
    cpu = oci.Cpu(
        shares=wanted.cpu_shares or None,
        period=period or None,
        quota=quota or None,
        realtime_period=wanted.cpu_realtime_period or None,
        realtime_runtime=wanted.cpu_realtime_runtime or None,
        cpus=wanted.cpuset_cpus,
        mems=wanted.cpuset_mems,
    )
    return cpu if cpu != oci.Cpu() else None


def _pids(wanted: Resources) -> oci.Pids | None:
    """0 and less take a limit away, which the runtimes write as -1."""
    if wanted.pids_limit is None:
        return None
    return oci.Pids(limit=wanted.pids_limit if wanted.pids_limit > 0 else -1)


def _block_io(wanted: Resources, numbers: DeviceNumbers) -> oci.BlockIo | None:
    def throttled(limits: tuple[ThrottleDevice, ...]) -> Iterator[oci.ThrottleDevice]:
        for limit in limits:
            major, minor = numbers[limit.path]
            yield oci.ThrottleDevice(major=major, minor=minor, rate=limit.rate)

    block_io = oci.BlockIo(
        weight=wanted.blkio_weight or None,
        weight_device=tuple(
            oci.WeightDevice(
                major=numbers[device.path][0], minor=numbers[device.path][1], weight=device.weight
            )
            for device in wanted.blkio_weight_device
        ),
        throttle_read_bps_device=tuple(throttled(wanted.blkio_device_read_bps)),
        throttle_write_bps_device=tuple(throttled(wanted.blkio_device_write_bps)),
        throttle_read_iops_device=tuple(throttled(wanted.blkio_device_read_iops)),
        throttle_write_iops_device=tuple(throttled(wanted.blkio_device_write_iops)),
    )
    return block_io if block_io != oci.BlockIo() else None


def block_devices(wanted: Resources) -> frozenset[str]:
    """The paths on the host whose device numbers ``cgroup_resources`` needs."""
    limited = (
        *wanted.blkio_device_read_bps,
        *wanted.blkio_device_write_bps,
        *wanted.blkio_device_read_iops,
        *wanted.blkio_device_write_iops,
    )
    return frozenset(
        {each.path for each in limited} | {each.path for each in wanted.blkio_weight_device}
    )


def check_ulimits(ulimits: Sequence[Ulimit]) -> None:
    for ulimit in ulimits:
        if ulimit.name.lower() not in _RLIMITS:
            raise InvalidArgument(f"invalid ulimit type: {ulimit.name}")
        if ulimit.hard != -1 and (ulimit.soft == -1 or ulimit.soft > ulimit.hard):
            raise InvalidArgument(
                "ulimit soft limit must be less than or equal to hard limit:"
                f" {ulimit.soft} > {ulimit.hard}"
            )


def rlimits(
    ulimits: Sequence[Ulimit], machine: Machine
) -> tuple[tuple[oci.Rlimit, ...], tuple[str, ...]]:
    """The limits of the process, and a warning for each that this daemon may not raise so far."""
    planned: list[oci.Rlimit] = []
    warnings: list[str] = []
    for ulimit in ulimits:
        name = ulimit.name.lower()
        hard, soft = (UNLIMITED if each == -1 else each for each in (ulimit.hard, ulimit.soft))
        ceiling = machine.hard_limits.get(name, UNLIMITED)
        if hard > ceiling and not machine.may_raise_limits:
            warnings.append(
                f"ulimit {name}: {ulimit.hard} is more than the {ceiling} this daemon may hand out"
                f" without CAP_SYS_RESOURCE. Limited to {ceiling}."
            )
            hard, soft = ceiling, min(soft, ceiling)
        planned.append(oci.Rlimit(type=f"RLIMIT_{name.upper()}", hard=hard, soft=soft))
    return tuple(planned), tuple(warnings)


def oom_score(wanted: int, machine: Machine) -> tuple[int, tuple[str, ...]]:
    """The score to give, and a warning where this daemon may not go as low."""
    if wanted >= machine.oom_score_adj or machine.may_raise_limits:
        return wanted, ()
    lowest = machine.oom_score_adj
    if not wanted:  # the default is no wish of anybody's
        return lowest, ()
    warning = (
        f"OomScoreAdj {wanted} is lower than the {lowest} this daemon may hand out without"
        f" CAP_SYS_RESOURCE. Set to {lowest}."
    )
    return lowest, (warning,)
