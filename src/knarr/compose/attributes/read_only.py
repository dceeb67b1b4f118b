"""Whether the root file system is read-only."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Boolean

READ_ONLY = Attribute(
    name="read_only",
    shape=Boolean(),
    apply=to_host("readonly_rootfs"),
    source="Compose Specification, services, read_only",
)
