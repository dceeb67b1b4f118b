"""Microseconds of CPU time in each period."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

CPU_QUOTA = Attribute(
    name="cpu_quota",
    shape=Integer(fractions=True),
    apply=to_host("cpu_quota"),
    source="Compose Specification, services, cpu_quota",
)
