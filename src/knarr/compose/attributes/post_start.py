"""Commands that run in the container once it has started."""

from knarr.compose.attribute import Attribute
from knarr.compose.hook import HOOK
from knarr.compose.shape import ListOf

POST_START = Attribute(
    name="post_start",
    shape=ListOf(HOOK),
    source="Compose Specification, services, post_start",
)
