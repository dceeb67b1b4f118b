"""The name the container has for itself."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Text

HOSTNAME = Attribute(
    name="hostname",
    shape=Text(),
    apply=to_config("hostname"),
    source="Compose Specification, services, hostname",
)
