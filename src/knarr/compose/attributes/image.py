"""The image that the service runs, or the name that a built one gets."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Text

IMAGE = Attribute(
    name="image",
    shape=Text(),
    source="Compose Specification, services, image",
)
