"""Kinds of flags beyond text, number and switch: how each value is written and read."""

from __future__ import annotations

from knarr.cli.command import Kind, integer
from knarr.errors import InvalidArgument
from knarr.units import duration_ns, size_bytes

FORMAT_HELP = """\
Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template."""
INSPECT_FORMAT_HELP = """\
Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template."""


def _filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not text:
        return "", ""
    if not equals:
        raise InvalidArgument("bad format of filter (expected name=value)")
    return name.strip().lower(), value.strip()


def _size(text: str) -> int:
    value = size_bytes(text)
    if value < 0:
        raise InvalidArgument(f"invalid size: '{text}'")
    return value


def _swap(text: str) -> int:
    return -1 if text == "-1" else _size(text)


def _unsigned(text: str) -> int:
    return integer(text, function="ParseUint", low=0, high=2**64)


FILTER = Kind("filter", _filter)
BYTES = Kind("bytes", _size, zero="0")
SWAP = Kind("bytes", _swap, zero="0")
DURATION = Kind("duration", duration_ns)
STRINGS = Kind("strings", str)


def wanted(filters: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """The filters of a command line, for the verbs of the client."""
    collected: dict[str, list[str]] = {}
    for name, value in filters:
        if name:
            collected.setdefault(name, []).append(value)
    return collected


INT64 = Kind("int", integer, zero="0")
