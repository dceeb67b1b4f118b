"""A fixed name for the one container of the service."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Text

CONTAINER_NAME = Attribute(
    name="container_name",
    shape=Text(pattern="[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
    source="Compose Specification, services, container_name",
)
