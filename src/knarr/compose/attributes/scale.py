"""How many containers the service has."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Integer

SCALE = Attribute(
    name="scale",
    shape=Integer(optional=True),
    source="Compose Specification, services, scale",
)
