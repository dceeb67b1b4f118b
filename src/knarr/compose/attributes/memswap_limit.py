"""Memory and swap together; -1 for unlimited swap."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Size

MEMSWAP_LIMIT = Attribute(
    name="memswap_limit",
    shape=Size(),
    apply=to_host("memory_swap", int),
    source="Compose Specification, services, memswap_limit",
)
