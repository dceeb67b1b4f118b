"""Microseconds of one period of the real-time scheduler."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Integer

CPU_RT_PERIOD = Attribute(
    name="cpu_rt_period",
    shape=Integer(fractions=True),
    apply=to_host("cpu_realtime_period"),
    source="Compose Specification, services, cpu_rt_period",
)
