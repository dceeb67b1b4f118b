"""Commands that run in the container before it is stopped."""

from knarr.compose.attribute import Attribute
from knarr.compose.hook import HOOK
from knarr.compose.shape import ListOf

PRE_STOP = Attribute(
    name="pre_stop",
    shape=ListOf(HOOK),
    source="Compose Specification, services, pre_stop",
)
