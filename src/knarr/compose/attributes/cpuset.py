"""The CPUs the container may run on: ``0-3`` or ``0,1``."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text

CPUSET = Attribute(
    name="cpuset",
    shape=Text(),
    apply=to_host("cpuset_cpus"),
    source="Compose Specification, services, cpuset",
)
