"""Small texts that many commands print: short identifiers, ages, times."""

from __future__ import annotations

import time

from knarr.client.lean import TYPE_CHECKING
from knarr.units import human_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORT = 12  # digits of a short identifier


def short(identifier: str) -> str:
    """The first 12 digits, without the algorithm's name."""
    return identifier.rpartition(":")[2][:SHORT] if ":" in identifier else identifier[:SHORT]


def counted(count: int, noun: str) -> str:
    """``1 layer``, ``3 layers``"""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ellipsis(text: str, width: int) -> str:
    """Cut to ``width`` characters, the last one an ellipsis where something is missing."""
    if len(text) <= width:
        return text
    return text[:width] if width <= 1 else text[: width - 1] + "…"


def ago(seconds: float) -> str:
    """How long since a moment in Unix seconds: ``5 minutes ago``."""
    return f"{human_duration(time.time() - seconds)} ago"


def moment(seconds: float) -> str:
    """A moment as Go prints it: ``2026-11-24 05:20:00 +0000 UTC``."""
    local = time.localtime(seconds)
    offset = abs(local.tm_gmtoff) // 60
    sign = "-" if local.tm_gmtoff < 0 else "+"
    zone = f"{sign}{offset // 60:02}{offset % 60:02}"
    name = local.tm_zone if local.tm_zone.isalpha() else zone
    return time.strftime("%Y-%m-%d %H:%M:%S", local) + f" {zone} {name}"


def labels(values: Mapping[str, str] | None) -> str:
    """``a=1,b=2``"""
    return ",".join(f"{name}={value}" for name, value in sorted((values or {}).items()))


def go_time(text: str) -> str:
    """RFC 3339 from the wire as Go prints a time: ``2026-11-24 05:18:28.83243658 +0000 UTC``."""
    date, _, rest = text.partition("T")
    clock, zone = (rest[:-1], "Z") if rest.endswith("Z") else (rest[:-6], rest[-6:])
    if not date or not clock:
        return text
    offset = "+0000 UTC" if zone == "Z" else f"{zone.replace(':', '')} {zone.replace(':', '')}"
    return f"{date} {clock} {offset}"
