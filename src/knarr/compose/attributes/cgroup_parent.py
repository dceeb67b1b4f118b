"""The control group under which the container's own is made."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text

CGROUP_PARENT = Attribute(
    name="cgroup_parent",
    shape=Text(),
    apply=to_host("cgroup_parent"),
    source="Compose Specification, services, cgroup_parent",
)
