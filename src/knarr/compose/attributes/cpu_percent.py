"""The share of all CPUs that the container may use; heeded on Windows."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Decimal

CPU_PERCENT = Attribute(
    name="cpu_percent",
    shape=Decimal(whole=True, maximum=100),
    apply=to_host("cpu_percent", lambda percent: int(percent * 100)),
    source="Compose Specification, services, cpu_percent",
)
