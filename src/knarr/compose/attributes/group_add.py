"""Further groups of the container's user, by name or number."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text

GROUP_ADD = Attribute(
    name="group_add",
    shape=ListOf(Text(or_number=True), unique=True),
    apply=to_host("group_add", tuple),
    source="Compose Specification, services, group_add",
)
