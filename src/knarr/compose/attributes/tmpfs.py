"""Directories in memory: ``PATH[:OPTIONS]``."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text


def options(entries: list[str]) -> dict[str, str]:
    """Options of each mount, by path."""
    return {path: rest for path, _, rest in (entry.partition(":") for entry in entries)}


TMPFS = Attribute(
    name="tmpfs",
    shape=ListOf(Text(), key=by_text, lonely=True, stays_lonely=True),
    apply=to_host("tmpfs", options),
    source="Compose Specification, services, tmpfs",
)
