"""``OS[/ARCH[/VARIANT]]`` of the image; asked for when the container is created."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Text

PLATFORM = Attribute(
    name="platform",
    shape=Text(),
    source="Compose Specification, services, platform",
)
