"""Health checks: which command, when, and what its results come to.

The state machine is pure; ``watch`` runs it with a clock, a way to wait and a way to run a command
in the container, all handed in.
Source: Engine API, HealthConfig and Health; Dockerfile reference, HEALTHCHECK.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerConfig
from knarr.spec.docker.health import Health, HealthcheckResult, HealthConfig

STARTING: Final = "starting"
HEALTHY: Final = "healthy"
UNHEALTHY: Final = "unhealthy"
ON_FAILURE_ANNOTATION: Final = "knarr.health-on-failure"
OUTPUT_BYTES: Final = 4096
_RESULTS_KEPT: Final = 5
_SECOND_NS: Final = 1_000_000_000
_SHELL: Final = ("/bin/sh", "-c")

OnFailure = Literal["none", "kill", "restart", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a container is probed, with Docker's defaults filled in. Times are nanoseconds.

    start_period: how long failures do not count while it has never been healthy; until it is, it
    is probed each ``start_interval``.
    """

    interval_ns: int = 30 * _SECOND_NS
    timeout_ns: int = 30 * _SECOND_NS
    start_period_ns: int = 0
    start_interval_ns: int = 5 * _SECOND_NS
    retries: int = 3

    @classmethod
    def of(cls, health: HealthConfig) -> "Schedule":
        default = cls()
        return cls(
            interval_ns=health.interval or default.interval_ns,
            timeout_ns=health.timeout or default.timeout_ns,
            start_period_ns=health.start_period,
            start_interval_ns=health.start_interval or default.start_interval_ns,
            retries=health.retries if health.retries > 0 else default.retries,
        )


def probe_command(config: ContainerConfig) -> tuple[str, ...] | None:
    """The command that tells a container's health; None where there is no check."""
    test = config.healthcheck.test if config.healthcheck is not None else ()
    match test:
        case ("CMD", _, *_):
            return test[1:]
        case ("CMD-SHELL", *_):
            return (*(config.shell or _SHELL), *test[1:])
        case _:
            return None


def on_failure(annotations: dict[str, str]) -> OnFailure:
    """What to do with a container that has become unhealthy; Docker does nothing."""
    match annotations.get(ON_FAILURE_ANNOTATION):
        case "kill" | "restart" | "stop" as wanted:
            return wanted
        case _:
            return "none"


def next_wait_ns(schedule: Schedule, status: str, since_start_ns: int) -> int:
    """From the end of one probe (or the container's start) to the next."""
    if status == STARTING and since_start_ns < schedule.start_period_ns:
        return schedule.start_interval_ns
    return schedule.interval_ns


def judged(
    health: Health, result: HealthcheckResult, schedule: Schedule, since_start_ns: int
) -> Health:
    """The container's health after one more result.

    since_start_ns: from the container's start to the beginning of the probe.
    """
    log = (*health.log, result)[-_RESULTS_KEPT:]
    if result.exit_code == 0:
        return Health(status=HEALTHY, failing_streak=0, log=log)
    if health.status == STARTING and since_start_ns < schedule.start_period_ns:
        return Health(status=STARTING, failing_streak=health.failing_streak, log=log)
    streak = health.failing_streak + 1
    status = UNHEALTHY if streak >= schedule.retries else health.status
    return Health(status=status, failing_streak=streak, log=log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """How one run of the command ended. ``exit_code`` None: it took too long, and was killed."""

    exit_code: int | None
    output: bytes = b""


Run = Callable[[tuple[str, ...], float], Awaitable[Probed]]
"""Runs a command in the container: its arguments, and the seconds that it may take."""


def result_of(probed: Probed, schedule: Schedule, *, start: str, end: str) -> HealthcheckResult:
    """The result as it is kept. start, end: as the Engine API writes times."""
    text = probed.output[:OUTPUT_BYTES].decode(errors="replace")
    if len(probed.output) > OUTPUT_BYTES:
        text += "..."
    if probed.exit_code is None:
        said = f"Health check exceeded timeout ({_go_duration(schedule.timeout_ns)})"
        text = f"{said}: {text}" if text else said
    code = -1 if probed.exit_code is None else probed.exit_code
    return HealthcheckResult(start=start, end=end, exit_code=code, output=text)


def _go_duration(duration_ns: int) -> str:
    """``30s``, ``1m30s``, ``500ms``: as Go prints a duration."""
    if duration_ns < _SECOND_NS:
        return f"{duration_ns / 1_000_000:g}ms"
    minutes, seconds = divmod(duration_ns / _SECOND_NS, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{text}{seconds:g}s"


async def watch(
    config: ContainerConfig,
    *,
    started_ns: int,
    run: Run,
    now_ns: Callable[[], int],
    wait: Callable[[float], Awaitable[None]],
    timestamp: Callable[[int], str],
    before: Health | None = None,
) -> AsyncGenerator[Health, None]:
    """The container's health from its start on: at once ``starting``, then after every probe.

    Cancel it when the container stops or is paused. before: what was known of a container that
    runs already, when the daemon was started anew.
    started_ns: when the container's process started, on the clock of ``now_ns``.
    """
    command = probe_command(config)
    if command is None or config.healthcheck is None:
        return
    schedule = Schedule.of(config.healthcheck)
    health = before or Health(status=STARTING)
    yield health
    while True:
        await wait(next_wait_ns(schedule, health.status, now_ns() - started_ns) / _SECOND_NS)
        began_ns = now_ns()
        probed = await _run(run, command, schedule)
        result = result_of(probed, schedule, start=timestamp(began_ns), end=timestamp(now_ns()))
        health = judged(health, result, schedule, began_ns - started_ns)
        yield health


async def _run(run: Run, command: tuple[str, ...], schedule: Schedule) -> Probed:
    """A command that cannot even be started is a failed probe, and says why."""
    try:
        return await run(command, schedule.timeout_ns / _SECOND_NS)
    except KnarrError as error:
        return Probed(exit_code=-1, output=str(error).encode())
