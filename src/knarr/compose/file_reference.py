"""A service's use of a config or a secret: by name, or with a place, an owner and a mode."""

from collections.abc import Callable
from typing import Any, Final

from knarr.compose.shape import Either, Fields, FileMode, Place, Text

Settle = Callable[[dict[str, Any], Place], dict[str, Any]]


def shape(settle: Settle | None = None) -> Either:
    """``settle`` fills in what is left out when all files are merged."""
    fields = {
        "source": Text(),
        "target": Text(),
        "uid": Text(),
        "gid": Text(),
        "mode": FileMode(),
    }
    return Either(Text(), lambda name, _: {"source": name}, Fields(fields, settle=settle))


FILE_REFERENCE: Final = shape()


def key(directory: str) -> Callable[[Any], str]:
    """Two uses with the same place in the container are one."""

    def place(entry: Any) -> str:
        return str(entry.get("target", f"{directory}/{entry.get('source')}"))

    return place


def target(entry: dict[str, Any], directory: str) -> str:
    """Where the file appears; a relative target counts from the directory."""
    place = entry.get("target") or entry["source"]
    return place if place.startswith("/") else f"{directory}/{place}"
