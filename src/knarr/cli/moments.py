"""Moments as people write them after ``--since`` and ``--until``, for the engine.

Source: Docker CLI reference, "container logs" and "system events".
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from knarr.client.lean import Final
from knarr.errors import InvalidArgument
from knarr.units import duration_ns

_UNIX: Final = re.compile(r"\d+(?:\.\d+)?")
_DATE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?"
)
_BILLION: Final = 1_000_000_000


def moment(text: str, *, now: float | None = None) -> str:
    """Unix seconds with a fraction: of a date, of a duration before now, of Unix seconds.

    A date without a zone is in the local one. Raises InvalidArgument for anything else.
    """
    try:
        ago = duration_ns(text)
    except InvalidArgument:
        ago = None
    if ago is not None and text != "0":
        return _seconds(int((time.time() if now is None else now) * _BILLION) - ago)
    if _UNIX.fullmatch(text):
        return text
    match = _DATE.fullmatch(text)
    if match is None:
        raise InvalidArgument(f'failed to parse value as time or duration: "{text}"')
    date, minutes, seconds, fraction, zone = match.groups()
    whole = f"{date}T{minutes or '00:00'}{seconds or ':00'}"
    try:
        when = datetime.fromisoformat(whole)
    except ValueError as error:
        raise InvalidArgument(f'failed to parse value as time or duration: "{text}"') from error
    if zone == "Z":
        when = when.replace(tzinfo=UTC)
    elif zone:
        when = datetime.fromisoformat(whole + zone)
    else:
        when = when.astimezone()
    return _seconds(int(when.timestamp()) * _BILLION + int((fraction or "0").ljust(9, "0")))


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // _BILLION}.{nanoseconds % _BILLION:09}"
