"""False: ``up`` does not follow the output of this service."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Boolean

ATTACH = Attribute(
    name="attach",
    shape=Boolean(tristate=True),
    source="Compose Specification, services, attach",
)
