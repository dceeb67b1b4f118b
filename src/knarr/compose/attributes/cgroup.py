"""Whether the container has a cgroup namespace of its own or the host's."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text

CGROUP = Attribute(
    name="cgroup",
    shape=Text(choices=("host", "private")),
    apply=to_host("cgroupns_mode"),
    source="Compose Specification, services, cgroup",
)
