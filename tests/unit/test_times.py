import pytest

from knarr.errors import InvalidArgument
from knarr.times import moment_ns, rfc3339, rfc3339_ns

SECOND = 1_000_000_000


def test_a_moment_is_written_and_read_again() -> None:
    for moment in (0, 1_700_000_000 * SECOND, 1_700_000_000 * SECOND + 123_000_000, 1):
        assert rfc3339_ns(rfc3339(moment)) == moment
    assert rfc3339(1_704_067_200 * SECOND + 500_000_000) == "2024-01-01T00:00:00.5Z"


def test_zones_count() -> None:
    assert rfc3339_ns("2024-01-01T02:00:00+02:00") == 1_704_067_200 * SECOND
    assert rfc3339_ns("2024-01-01T00:00:00.123456789Z") == 1_704_067_200 * SECOND + 123_456_789


def test_go_s_zero_time_is_zero() -> None:
    assert rfc3339_ns("0001-01-01T00:00:00Z") == 0


def test_since_takes_seconds_times_and_durations() -> None:
    now = 1_704_067_200 * SECOND
    assert moment_ns("1704067100.5", now) == now - 100 * SECOND + 500_000_000
    assert moment_ns("10m", now) == now - 600 * SECOND
    assert moment_ns("2024-01-01T00:00:00Z", now) == now


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01T00:00:00Z", "", "10 apples"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        moment_ns(text, 0)
