"""The program and its arguments, in place of the image's CMD."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Command

COMMAND = Attribute(
    name="command",
    shape=Command(),
    apply=to_config("cmd", tuple),
    source="Compose Specification, services, command",
)
