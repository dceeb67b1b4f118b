"""Moments: nanoseconds since the epoch, and how documents and people write them."""

import re
from datetime import UTC, datetime
from typing import Final

from knarr.errors import InvalidArgument
from knarr.units import duration_ns

_SECOND_NS: Final = 1_000_000_000
NEVER: Final = "0001-01-01T00:00:00Z"  # Go's zero time, as Docker writes what has not happened
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d)?"
)
_UNIX: Final = re.compile(r"(-?\d+)(?:\.(\d{1,9}))?")


def rfc3339(time_ns: int) -> str:
    """In UTC, with as many digits of the fraction as it has: ``2024-01-01T00:00:00.5Z``."""
    seconds, nanoseconds = divmod(time_ns, _SECOND_NS)
    head = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{nanoseconds:09}".rstrip("0").rstrip(".")
    return f"{head}{fraction}Z"


def rfc3339_ns(text: str) -> int:
    """Nanoseconds since the epoch; 0 for what is empty or Go's zero time.

    A date or a time without a zone is in the machine's own. Raises InvalidArgument.
    """
    if text in ("", NEVER):
        return 0
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidArgument(f"invalid time: '{text}'")
    day, clock, fraction, zone = match.groups()
    clock = clock or "00:00:00"
    if len(clock) == 5:
        clock += ":00"
    offset = "+00:00" if zone in ("Z", "z") else zone or ""
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{offset}")
        seconds = int((moment if offset else moment.astimezone()).timestamp())
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(f"invalid time: '{text}'") from error
    return seconds * _SECOND_NS + int((fraction or "0").ljust(9, "0"))


def moment_ns(text: str, now_ns: int) -> int:
    """What ``since`` and ``until`` take: Unix seconds, RFC 3339, or how long ago (``10m``)."""
    if unix := _UNIX.fullmatch(text):
        return int(unix[1]) * _SECOND_NS + int((unix[2] or "0").ljust(9, "0"))
    if _RFC3339.fullmatch(text):
        return rfc3339_ns(text)
    return now_ns - duration_ns(text)
