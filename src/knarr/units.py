"""Sizes and durations between what people write and what machines count."""

import re
from datetime import UTC, datetime
from typing import Final

from knarr.errors import InvalidArgument

_NEVER: Final = "0001-01-01T00:00:00Z"
_BINARY: Final = {unit: 1024**power for power, unit in enumerate("bkmgtp")}
_SIZE: Final = re.compile(r"(-?\d+(?:\.\d+)?) ?([bkmgtp])?(?:(?<=[kmgtp])i?b)?", re.IGNORECASE)
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000,
    "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
}  # fmt: skip


def size_bytes(text: str) -> int:
    """Bytes of ``512m``, ``1.5g``, ``64KiB``, ``1024``: powers of 1024, as in Docker's flags."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidArgument(f"invalid size: '{text}'")
    return int(float(match[1]) * _BINARY[(match[2] or "b").lower()])


def duration_ns(text: str) -> int:
    """Nanoseconds of a Go duration: ``1h30m``, ``1.5s``, ``300ms``, ``0``."""
    body = text.removeprefix("-").removeprefix("+")
    sign = -1 if text.startswith("-") else 1
    if body == "0":
        return 0
    total, position = 0.0, 0
    for match in _DURATION.finditer(body):
        if match.start() != position:
            break
        total += float(match[1]) * _NANOSECONDS[match[2]]
        position = match.end()
    if not body or position != len(body):
        raise InvalidArgument(f"invalid duration: '{text}' (write it like 1h30m, 10s or 500ms)")
    return sign * round(total)


def timestamp(time_ns: int) -> str:
    """RFC 3339 with nanoseconds, in UTC; Docker's zero time for 0."""
    if not time_ns:
        return _NEVER
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    head = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{nanoseconds:09}".rstrip("0").rstrip(".")
    return f"{head}{fraction}Z"


def human_size(count: float) -> str:
    """Decimal units with three significant digits: ``4.16MB``."""
    return _scaled(count, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB", "EB"), "{:.3g}")


def human_size_precise(count: float) -> str:
    """Decimal units with four significant digits: ``14.16MB``, as progress bars count."""
    return _scaled(count, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB", "EB"), "{:.4g}")


def human_size_binary(count: float) -> str:
    """Binary units with four significant digits: ``1.391MiB``."""
    return _scaled(count, 1024.0, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), "{:.4g}")


def _scaled(count: float, base: float, names: tuple[str, ...], form: str) -> str:
    place = 0
    while count >= base and place < len(names) - 1:
        count /= base
        place += 1
    return form.format(count) + names[place]


def human_duration(seconds: float) -> str:
    """A stretch of time in words, as ``ps`` shows it: ``About a minute``, ``3 weeks``.

    Source: docker/go-units HumanDuration, as seen in the output of `docker ps`.
    """
    minutes, hours = int(seconds // 60), round(seconds / 3600)
    words = (
        (seconds < 1, "Less than a second"),
        (seconds < 2, "1 second"),
        (seconds < 60, f"{int(seconds)} seconds"),
        (minutes == 1, "About a minute"),
        (minutes < 60, f"{minutes} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 7 * 2, f"{hours // 24} days"),
        (hours < 24 * 30 * 2, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 365 * 2, f"{hours // 24 // 30} months"),
    )
    return next(
        (text for holds, text in words if holds), f"{int(seconds / 3600) // 24 // 365} years"
    )
