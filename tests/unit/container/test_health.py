from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.container.health import (
    Probed,
    Schedule,
    judged,
    next_wait_ns,
    on_failure,
    probe_command,
    result_of,
    watch,
)
from knarr.errors import Conflict
from knarr.spec.docker.container import ContainerConfig
from knarr.spec.docker.health import Health, HealthcheckResult, HealthConfig

SECOND = 1_000_000_000
SCHEDULE = Schedule(start_period_ns=10 * SECOND, retries=2)
GOOD, BAD = HealthcheckResult(exit_code=0), HealthcheckResult(exit_code=1)
STARTING = Health(status="starting")


def config(*test: str, **settings: int) -> ContainerConfig:
    return ContainerConfig(healthcheck=HealthConfig(test=test, **settings))


@pytest.mark.parametrize(
    ("given_config", "command"),
    [
        (ContainerConfig(), None),
        (config(), None),
        (config("NONE"), None),
        (config("CMD"), None),
        (config("CMD", "curl", "-f", "x"), ("curl", "-f", "x")),
        (config("CMD-SHELL", "curl x || exit 1"), ("/bin/sh", "-c", "curl x || exit 1")),
        (
            ContainerConfig(
                shell=("/bin/ash", "-ec"), healthcheck=HealthConfig(test=("CMD-SHELL", "x"))
            ),
            ("/bin/ash", "-ec", "x"),
        ),
    ],
)
def test_the_command(given_config: ContainerConfig, command: tuple[str, ...] | None) -> None:
    assert probe_command(given_config) == command


def test_defaults() -> None:
    assert Schedule.of(HealthConfig()) == Schedule()
    assert Schedule.of(HealthConfig(interval=5, retries=7)).interval_ns == 5
    assert Schedule.of(HealthConfig(retries=7)).retries == 7


def test_one_good_result_is_healthy() -> None:
    assert judged(STARTING, GOOD, SCHEDULE, 0).status == "healthy"
    sick = Health(status="unhealthy", failing_streak=9)
    assert judged(sick, GOOD, SCHEDULE, 60 * SECOND) == Health(status="healthy", log=(GOOD,))


def test_failures_while_it_starts_do_not_count() -> None:
    after = judged(STARTING, BAD, SCHEDULE, 9 * SECOND)
    assert (after.status, after.failing_streak) == ("starting", 0)
    after = judged(STARTING, BAD, SCHEDULE, 10 * SECOND)
    assert (after.status, after.failing_streak) == ("starting", 1)


def test_once_it_was_healthy_failures_count_in_the_start_period_too() -> None:
    healthy = Health(status="healthy")
    assert judged(healthy, BAD, SCHEDULE, SECOND).failing_streak == 1


def test_enough_failures_in_a_row_are_unhealthy() -> None:
    health = Health(status="healthy")
    for expected in ("healthy", "unhealthy", "unhealthy"):
        health = judged(health, BAD, SCHEDULE, 60 * SECOND)
        assert health.status == expected
    assert health.failing_streak == 3


@given(st.lists(st.sampled_from([GOOD, BAD]), max_size=20))
def test_the_last_five_results_are_kept(results: list[HealthcheckResult]) -> None:
    health = STARTING
    for result in results:
        health = judged(health, result, SCHEDULE, 60 * SECOND)
    assert list(health.log) == results[-5:]
    assert (health.failing_streak == 0) == (not results or results[-1] is GOOD)


def test_it_is_probed_more_often_while_it_starts() -> None:
    assert next_wait_ns(SCHEDULE, "starting", 0) == 5 * SECOND
    assert next_wait_ns(SCHEDULE, "starting", 10 * SECOND) == 30 * SECOND
    assert next_wait_ns(SCHEDULE, "healthy", 0) == 30 * SECOND
    assert next_wait_ns(Schedule(), "starting", 0) == 30 * SECOND


def test_output_is_cut_and_a_timeout_is_said() -> None:
    result = result_of(Probed(exit_code=1, output=b"x" * 5000), SCHEDULE, start="a", end="b")
    assert result.output == "x" * 4096 + "..."
    late = Probed(exit_code=None, output=b"half")
    result = result_of(late, Schedule(timeout_ns=90 * SECOND), start="a", end="b")
    assert result.exit_code == -1
    assert result.output == "Health check exceeded timeout (1m30s): half"
    result = result_of(Probed(exit_code=None), Schedule(timeout_ns=SECOND // 2), start="", end="")
    assert result.output == "Health check exceeded timeout (500ms)"


@pytest.mark.parametrize(
    ("annotations", "action"),
    [
        ({}, "none"),
        ({"knarr.health-on-failure": "restart"}, "restart"),
        ({"knarr.health-on-failure": "dance"}, "none"),
    ],
)
def test_what_follows_from_being_unhealthy(annotations: dict[str, str], action: str) -> None:
    assert on_failure(annotations) == action


class Desk:
    """A clock that moves only by waiting, and a command with answers prepared."""

    def __init__(self, *answers: Probed | Exception) -> None:
        self.now_ns = 0
        self.answers = list(answers)
        self.ran: list[tuple[tuple[str, ...], float]] = []

    async def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)

    async def run(self, command: tuple[str, ...], seconds: float) -> Probed:
        self.ran.append((command, seconds))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def watch(self, watched: ContainerConfig) -> AsyncGenerator[Health, None]:
        return watch(
            watched,
            started_ns=0,
            run=self.run,
            now_ns=lambda: self.now_ns,
            wait=self.wait,
            timestamp=str,
        )


async def test_a_container_is_watched() -> None:
    desk = Desk(Probed(exit_code=1), Probed(exit_code=0), Conflict("container is paused"))
    watched = config(
        "CMD", "check", start_period=6 * SECOND, start_interval=2 * SECOND, timeout=3 * SECOND
    )
    seen: list[Health] = []
    async with aclosing(desk.watch(watched)) as healths:
        async for health in healths:
            seen.append(health)
            if len(seen) == 4:
                break
    assert [(each.status, each.failing_streak) for each in seen] == [
        ("starting", 0),
        ("starting", 0),
        ("healthy", 0),
        ("healthy", 1),
    ]
    assert [result.start for result in seen[-1].log] == [
        str(2 * SECOND),
        str(4 * SECOND),
        str(34 * SECOND),
    ]
    assert seen[-1].log[-1].output == "container is paused"
    assert desk.ran[0] == (("check",), 3.0)


async def test_without_a_check_there_is_nothing_to_watch() -> None:
    assert [health async for health in Desk().watch(ContainerConfig())] == []
