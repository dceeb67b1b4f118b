"""Whether standard input is kept open with nobody attached."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Boolean

STDIN_OPEN = Attribute(
    name="stdin_open",
    shape=Boolean(),
    apply=to_config("open_stdin"),
    source="Compose Specification, services, stdin_open",
)
