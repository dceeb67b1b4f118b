"""Microseconds of real-time CPU time in each period."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

CPU_RT_RUNTIME = Attribute(
    name="cpu_rt_runtime",
    shape=Integer(fractions=True),
    apply=to_host("cpu_realtime_runtime"),
    source="Compose Specification, services, cpu_rt_runtime",
)
