"""The profiles of which one must be active for the service to be part of the project."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text

PROFILES = Attribute(
    name="profiles",
    shape=ListOf(Text(), key=by_text, unique=True),
    source="Compose Specification, services, profiles",
)
