"""Whether the kernel spares the container when memory is short."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Boolean

OOM_KILL_DISABLE = Attribute(
    name="oom_kill_disable",
    shape=Boolean(),
    apply=to_host("oom_kill_disable"),
    source="Compose Specification, services, oom_kill_disable",
)
