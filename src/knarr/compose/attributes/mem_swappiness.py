"""How willingly the kernel swaps the container's memory out: 0 to 100."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Size

MEM_SWAPPINESS = Attribute(
    name="mem_swappiness",
    shape=Size(fractions=False),
    apply=to_host("memory_swappiness", int),
    source="Compose Specification, services, mem_swappiness",
)
