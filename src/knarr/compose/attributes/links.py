"""Further names for other services: ``SERVICE[:ALIAS]``."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text

# The links themselves name containers: the plan puts them into the scene, networks uses them.
LINKS = Attribute(
    name="links",
    shape=ListOf(Text(), key=by_text, unique=True),
    source="Compose Specification, services, links",
)
