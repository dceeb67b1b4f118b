import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.container.restart import FIRST_DELAY_MS, next_delay_ms, restarts, starts_with_the_daemon
from knarr.spec.docker.container import RestartPolicy


def policy(name: str, most: int = 0) -> RestartPolicy:
    return RestartPolicy(name=name, maximum_retry_count=most)


@pytest.mark.parametrize(
    ("wanted", "exit_code", "count", "stopped", "again"),
    [
        (None, 1, 0, False, False),
        (policy("no"), 1, 0, False, False),
        (policy("always"), 0, 99, False, True),
        (policy("always"), 0, 0, True, False),
        (policy("unless-stopped"), 0, 5, False, True),
        (policy("unless-stopped"), 137, 0, True, False),
        (policy("on-failure"), 0, 0, False, False),
        (policy("on-failure"), 1, 1000, False, True),
        (policy("on-failure", 3), 1, 2, False, True),
        (policy("on-failure", 3), 1, 3, False, False),
        (policy("on-failure"), 137, 0, True, False),
    ],
)
def test_after_an_exit(
    wanted: RestartPolicy | None, exit_code: int, count: int, stopped: bool, again: bool
) -> None:
    found = restarts(wanted, exit_code=exit_code, restart_count=count, stopped_by_user=stopped)
    assert found is again


@pytest.mark.parametrize(
    ("wanted", "has_run", "exit_code", "stopped", "starts"),
    [
        (policy("always"), True, 0, True, True),
        (policy("always"), False, 0, False, False),
        (policy("unless-stopped"), True, 0, True, False),
        (policy("unless-stopped"), True, 0, False, True),
        (policy("on-failure"), True, 1, False, True),
        (policy("on-failure"), True, 0, False, False),
        (policy("no"), True, 1, False, False),
        (None, True, 1, False, False),
    ],
)
def test_when_the_daemon_starts(
    wanted: RestartPolicy | None, has_run: bool, exit_code: int, stopped: bool, starts: bool
) -> None:
    found = starts_with_the_daemon(
        wanted, has_run=has_run, exit_code=exit_code, stopped_by_user=stopped
    )
    assert found is starts


def test_delays_double_up_to_a_minute() -> None:
    delays = [next_delay_ms(0, 0.0)]
    for _ in range(12):
        delays.append(next_delay_ms(delays[-1], 0.5))
    assert delays[:5] == [100, 200, 400, 800, 1600]
    assert delays[-1] == 60_000


@given(st.integers(0, 60_000), st.floats(10, 1e9))
def test_who_ran_for_a_while_is_not_kept_waiting(previous: int, seconds: float) -> None:
    assert next_delay_ms(previous, seconds) == FIRST_DELAY_MS
