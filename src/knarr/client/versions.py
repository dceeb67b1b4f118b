"""Versions of the Engine API: the newest that this client speaks, and how one is agreed on."""

from __future__ import annotations

NEWEST = "1.51"
OLDEST = "1.24"
_UNTOLD = "1.24"  # what an engine speaks that does not say


def number(version: str) -> tuple[int, ...]:
    """For comparison: ``1.9`` is older than ``1.41``. An odd version is older than any."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def agreed(engine: str | None) -> str:
    """The version to speak with an engine that announced ``engine`` in its answer to a ping."""
    theirs = engine or _UNTOLD
    return theirs if number(theirs) < number(NEWEST) else NEWEST
