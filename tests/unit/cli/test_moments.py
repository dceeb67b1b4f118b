import time

import pytest

from knarr.cli.moments import moment
from knarr.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", "999400.000000000"),
        ("1h30m", "994600.000000000"),
        ("-1h", "1003600.000000000"),
        ("0s", "1000000.000000000"),
        ("1136073845", "1136073845"),
        ("1136073845.000000001", "1136073845.000000001"),
        ("2006-01-02T15:04:05Z", "1136214245.000000000"),
        ("2006-01-02T15:04:05.5Z", "1136214245.500000000"),
        ("2006-01-02T15:04:05.000000001+01:00", "1136210645.000000001"),
        ("2006-01-02Z", "1136160000.000000000"),
        ("2006-01-02T15:04Z", "1136214240.000000000"),
    ],
)
def test_moments_are_unix_seconds_for_the_engine(text: str, seconds: str) -> None:
    assert moment(text, now=1_000_000) == seconds


def test_a_date_without_a_zone_is_a_local_one() -> None:
    local = time.mktime((2006, 1, 2, 15, 4, 5, 0, 0, -1))
    assert moment("2006-01-02T15:04:05") == f"{int(local)}.000000000"


@pytest.mark.parametrize("text", ["foo", "", "2006-13-01", "2006-01-02T25:00", "10 m", "yesterday"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        moment(text)
    assert str(refused.value) == f'failed to parse value as time or duration: "{text}"'
