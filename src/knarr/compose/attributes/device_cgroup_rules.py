"""Rules for devices: ``c 1:3 mr``."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import ListOf, Text

DEVICE_CGROUP_RULES = Attribute(
    name="device_cgroup_rules",
    shape=ListOf(Text(), unique=True),
    apply=to_host("device_cgroup_rules", tuple),
    source="Compose Specification, services, device_cgroup_rules",
)
