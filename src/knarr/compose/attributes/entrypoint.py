"""What runs the command, in place of the image's ENTRYPOINT; the image's CMD is dropped then."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Command

ENTRYPOINT = Attribute(
    name="entrypoint",
    shape=Command(),
    apply=to_config("entrypoint", tuple),
    source="Compose Specification, services, entrypoint",
)
