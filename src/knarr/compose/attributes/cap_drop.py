"""Capabilities that are taken from the container."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text

CAP_DROP = Attribute(
    name="cap_drop",
    shape=ListOf(Text(), key=by_text, unique=True),
    apply=to_host("cap_drop", tuple),
    source="Compose Specification, services, cap_drop",
)
