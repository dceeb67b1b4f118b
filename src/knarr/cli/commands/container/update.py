from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.options import CPUS, WEIGHT
from knarr.cli.create.plan import restart_policy
from knarr.cli.exit import Exit, text_of
from knarr.cli.flags import BYTES, SWAP
from knarr.client.calls import containers
from knarr.client.lean import Any
from knarr.errors import InvalidArgument, KnarrError


@command("container update", usage="CONTAINER [CONTAINER...]")
def update(
    cli: Cli,
    container: str,
    *more: str,
    blkio_weight: Annotated[
        int, Flag("Relative weight of block I/O, 10 to 1000, or 0 for none", kind=WEIGHT)
    ] = 0,
    cpu_period: Annotated[int, Flag("Period of the CPU quota, in microseconds")] = 0,
    cpu_quota: Annotated[int, Flag("CPU time in each period, in microseconds")] = 0,
    cpu_rt_period: Annotated[
        int, Flag("Period of the real-time quota, in microseconds", since="1.25")
    ] = 0,
    cpu_rt_runtime: Annotated[
        int, Flag("Real-time CPU in each period, in microseconds", since="1.25")
    ] = 0,
    cpu_shares: Annotated[int, Flag("Relative weight of CPU", short="-c")] = 0,
    cpus: Annotated[
        int, Flag("Number of CPUs, as a decimal", kind=CPUS, since="1.29", shown="")
    ] = 0,
    cpuset_cpus: Annotated[str, Flag("CPUs to run on (0-3, 0,1)")] = "",
    cpuset_mems: Annotated[str, Flag("Memory nodes to use (0-3, 0,1)")] = "",
    kernel_memory: Annotated[int, Flag("No effect", kind=BYTES, hidden=True)] = 0,  # noqa: ARG001
    memory: Annotated[int, Flag("Memory limit", short="-m", kind=BYTES)] = 0,
    memory_reservation: Annotated[int, Flag("Soft memory limit", kind=BYTES)] = 0,
    memory_swap: Annotated[
        int, Flag("Limit of memory and swap together: '-1' for unlimited swap", kind=SWAP)
    ] = 0,
    pids_limit: Annotated[int, Flag("Limit of processes: -1 for unlimited", since="1.40")] = 0,
    restart: Annotated[str, Flag("What to do when the container exits")] = "",
) -> None:
    """Change the limits of one or more containers"""
    if not cli.given:
        raise InvalidArgument("you must provide one or more flags when using this command")
    body: dict[str, Any] = {
        "BlkioWeight": blkio_weight,
        "CpuPeriod": cpu_period,
        "CpuQuota": cpu_quota,
        "CpuRealtimePeriod": cpu_rt_period,
        "CpuRealtimeRuntime": cpu_rt_runtime,
        "CpuShares": cpu_shares,
        "CpusetCpus": cpuset_cpus,
        "CpusetMems": cpuset_mems,
        "Memory": memory,
        "MemoryReservation": memory_reservation,
        "MemorySwap": memory_swap,
        "NanoCpus": cpus,
        "PidsLimit": pids_limit,
    }
    body = {name: value for name, value in body.items() if value}
    if restart:
        body["RestartPolicy"] = restart_policy(restart)
    failures: list[str] = []
    warnings: list[str] = []
    for name in (container, *more):
        try:
            told = cli.engine.ask(containers.update(name, body))
        except KnarrError as error:
            failures.append(text_of(error))
        else:
            cli.print(name)
            warnings += told.get("Warnings") or ()
    if warnings:
        cli.print("\n".join(warnings))
    if failures:
        raise Exit(1, "\n".join(failures))
