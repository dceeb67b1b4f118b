"""Names for containers outside the project: ``CONTAINER[:ALIAS]``."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import ListOf, Text

EXTERNAL_LINKS = Attribute(
    name="external_links",
    shape=ListOf(Text(), unique=True),
    source="Compose Specification, services, external_links",
)
