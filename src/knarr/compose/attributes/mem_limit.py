"""How much memory the container may use."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Size

MEM_LIMIT = Attribute(
    name="mem_limit",
    shape=Size(),
    apply=to_host("memory", int),
    source="Compose Specification, services, mem_limit",
)
