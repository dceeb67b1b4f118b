"""A program outside the engine that runs the service."""

from dataclasses import dataclass
from typing import Any

from knarr.compose.attribute import Attribute
from knarr.compose.gotext import text_of
from knarr.compose.shape import Fields, MapOf, Place, Shape, Text
from knarr.compose.shape.base import is_one_of


@dataclass(frozen=True, slots=True)
class _Repeatable(Shape):
    """A value or several of them; canonical is the list of their texts."""

    def check(self, value: Any, at: Place) -> None:
        for entry in value if isinstance(value, list) else [value]:
            if not is_one_of(entry, ("string", "number", "boolean")):
                raise at.misfit("must be a boolean, number or string")

    def read(self, value: Any, at: Place) -> Any:
        if at.as_written:
            return value
        return [text_of(entry) for entry in (value if isinstance(value, list) else [value])]


PROVIDER = Attribute(
    name="provider",
    shape=Fields({"type": Text(), "options": MapOf(_Repeatable())}, required=("type",)),
    source="Compose Specification, services, provider",
)
