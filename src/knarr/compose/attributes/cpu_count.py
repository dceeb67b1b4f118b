"""How many CPUs the container may use; heeded on Windows."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

CPU_COUNT = Attribute(
    name="cpu_count",
    shape=Integer(minimum=0),
    apply=to_host("cpu_count"),
    source="Compose Specification, services, cpu_count",
)
