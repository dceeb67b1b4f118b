"""Microseconds of one period of the CPU scheduler."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

CPU_PERIOD = Attribute(
    name="cpu_period",
    shape=Integer(fractions=True),
    apply=to_host("cpu_period"),
    source="Compose Specification, services, cpu_period",
)
