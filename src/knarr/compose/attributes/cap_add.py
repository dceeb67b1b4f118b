"""Capabilities that the container gets beside the usual ones."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text
from knarr.compose.shape.collection import by_text

CAP_ADD = Attribute(
    name="cap_add",
    shape=ListOf(Text(), key=by_text, unique=True),
    apply=to_host("cap_add", tuple),
    source="Compose Specification, services, cap_add",
)
