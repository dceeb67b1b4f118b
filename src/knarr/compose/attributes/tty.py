"""Whether the container has a terminal."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Boolean

TTY = Attribute(
    name="tty",
    shape=Boolean(),
    apply=to_config("tty"),
    source="Compose Specification, services, tty",
)
