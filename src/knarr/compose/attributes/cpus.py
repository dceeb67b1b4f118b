"""How many CPUs the container may use: ``1.5``."""

from typing import Final

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.gotext import float32
from knarr.compose.shape import Decimal

_NANO: Final = 1_000_000_000


def nano_cpus(cpus: float) -> int:
    """Billionths of a CPU, rounded as Compose's 32 bits round them."""
    return int(float32(float32(float(cpus)) * _NANO))


CPUS = Attribute(
    name="cpus",
    shape=Decimal(),
    apply=to_host("nano_cpus", nano_cpus),
    source="Compose Specification, services, cpus",
)
