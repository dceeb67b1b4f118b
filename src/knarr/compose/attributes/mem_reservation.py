"""How much memory is left to the container when the host runs short."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Size

MEM_RESERVATION = Attribute(
    name="mem_reservation",
    shape=Size(fractions=False),
    apply=to_host("memory_reservation", int),
    source="Compose Specification, services, mem_reservation",
)
