"""Whether the container has every capability and device."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Boolean

PRIVILEGED = Attribute(
    name="privileged",
    shape=Boolean(),
    apply=to_host("privileged"),
    source="Compose Specification, services, privileged",
)
