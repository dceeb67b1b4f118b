"""Whether a small init runs as process 1, reaps and forwards signals."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Boolean

INIT = Attribute(
    name="init",
    shape=Boolean(tristate=True),
    apply=to_host("init"),
    source="Compose Specification, services, init",
)
