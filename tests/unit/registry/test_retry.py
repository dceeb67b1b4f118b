from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.registry.retry import RetryPolicy, is_transient, retry_after_s

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_waits_double_up_to_a_ceiling_and_end() -> None:
    policy = RetryPolicy(attempts=8, first_wait_s=1, longest_wait_s=10)
    assert [policy.wait_s(n, chance=0) for n in range(1, 9)] == [1, 2, 4, 8, 10, 10, 10, None]


@given(st.floats(0, 1), st.integers(1, 4))
def test_jitter_takes_at_most_half(chance: float, failures: int) -> None:
    full = RetryPolicy().wait_s(failures, 0)
    wait = RetryPolicy().wait_s(failures, chance)
    assert full is not None
    assert wait is not None
    assert full / 2 <= wait <= full


def test_the_servers_word_is_taken_unless_it_asks_for_too_much() -> None:
    policy = RetryPolicy(longest_wait_s=30)
    assert policy.wait_s(1, 0.5, asked_s=7) == 7
    assert policy.wait_s(1, 0.5, asked_s=3600) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("١٢", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


def test_what_may_pass_is_tried_again() -> None:
    assert [each for each in (400, 401, 404, 408, 429, 500, 501, 503) if is_transient(each)] == [
        408, 429, 500, 503,
    ]  # fmt: skip
