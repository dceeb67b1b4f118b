"""The signal that asks the container to end."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Text

STOP_SIGNAL = Attribute(
    name="stop_signal",
    shape=Text(),
    apply=to_config("stop_signal"),
    source="Compose Specification, services, stop_signal",
)
