"""Sizes and durations between what people write and what machines count.

The command line's start pays for this module, so it reads text without ``re``.
"""

from __future__ import annotations

import time

from knarr.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NEVER: Final = "0001-01-01T00:00:00Z"
_BINARY: Final = {unit: 1024**power for power, unit in enumerate("bkmgtp")}
_SECOND: Final = 1_000_000_000
_NANOSECONDS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000,
    "s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND,
}  # fmt: skip


def size_bytes(text: str) -> int:
    """Bytes of ``512m``, ``1.5g``, ``64KiB``, ``1024``: powers of 1024, as in Docker's flags.

    Raises InvalidArgument in the words of docker/go-units.
    """
    end = max(text.rfind(letter) for letter in "0123456789. ")
    if end < 0:
        raise InvalidArgument(f"invalid size: '{text}'")
    number, suffix = text[: end + 1].removesuffix(" "), text[end + 1 :].lower()
    if not _is_decimal(number.removeprefix("-")):
        raise InvalidArgument(f'strconv.ParseFloat: parsing "{number}": invalid syntax')
    letter = suffix[:1] or "b"
    if letter not in _BINARY or suffix[1:] not in ("", "b", "ib") or suffix in ("bb", "bib"):
        raise InvalidArgument(f"invalid suffix: '{suffix}'")
    return int(float(number) * _BINARY[letter])


def duration_ns(text: str) -> int:
    """Nanoseconds of a Go duration: ``1h30m``, ``1.5s``, ``300ms``, ``0``.

    Raises InvalidArgument in Go's words.
    """
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, valid = 0.0, bool(rest)
    while rest and valid:
        number, rest = _split(rest, "0123456789.")
        unit, rest = _split_before(rest, "0123456789.")
        valid = _is_decimal(number)
        if valid and not unit:
            raise InvalidArgument(f'time: missing unit in duration "{text}"')
        if valid and unit not in _NANOSECONDS:
            raise InvalidArgument(f'time: unknown unit "{unit}" in duration "{text}"')
        total += float(number) * _NANOSECONDS[unit] if valid else 0.0
    if not valid:
        raise InvalidArgument(f'time: invalid duration "{text}"')
    return -round(total) if text.startswith("-") else round(total)


def _split(text: str, letters: str) -> tuple[str, str]:
    """The longest start of ``text`` that is made of ``letters``, and the rest."""
    rest = text.lstrip(letters)
    return text[: len(text) - len(rest)], rest


def _split_before(text: str, letters: str) -> tuple[str, str]:
    """The longest start of ``text`` that has none of ``letters``, and the rest."""
    end = next((place for place, each in enumerate(text) if each in letters), len(text))
    return text[:end], text[end:]


def _is_decimal(number: str) -> bool:
    return number.count(".") <= 1 and number.replace(".", "").isdecimal()


def duration_text(nanoseconds: int) -> str:
    """A duration as Go prints it: ``1h30m0s``, ``1.5s``, ``300ms``, ``0s``."""
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left < _SECOND:
        unit = next((u for u in ("ms", "µs", "ns") if left >= _NANOSECONDS[u]), "s")
        return f"{sign}{_fraction(left, _NANOSECONDS[unit])}{unit}"
    minutes, seconds = divmod(left, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    words = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{words}{_fraction(seconds, _SECOND)}s"


def _fraction(count: int, unit: int) -> str:
    whole, part = divmod(count, unit)
    digits = f"{part:0{len(str(unit)) - 1}}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


def timestamp(time_ns: int) -> str:
    """RFC 3339 with nanoseconds, in UTC; Docker's zero time for 0."""
    if not time_ns:
        return _NEVER
    seconds, nanoseconds = divmod(time_ns, _SECOND)
    head = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    fraction = f".{nanoseconds:09}".rstrip("0").rstrip(".")
    return f"{head}{fraction}Z"


def human_size(count: float) -> str:
    """Decimal units with three significant digits: ``4.16MB``."""
    return _scaled(count, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB", "EB"), 3)


def human_size_precise(count: float) -> str:
    """Decimal units with four significant digits: ``14.16MB``, as progress bars count."""
    return _scaled(count, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB", "EB"), 4)


def human_size_binary(count: float) -> str:
    """Binary units with four significant digits: ``1.391MiB``."""
    return _scaled(count, 1024.0, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), 4)


def _scaled(count: float, base: float, names: tuple[str, ...], digits: int) -> str:
    place = 0
    while count >= base and place < len(names) - 1:
        count /= base
        place += 1
    return f"{count:.{digits}g}" + names[place]


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
