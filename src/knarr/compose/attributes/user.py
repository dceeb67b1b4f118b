"""Who runs the container's process: a name or a number, with ``:GROUP`` if need be."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Text

USER = Attribute(
    name="user",
    shape=Text(),
    apply=to_config("user"),
    source="Compose Specification, services, user",
)
