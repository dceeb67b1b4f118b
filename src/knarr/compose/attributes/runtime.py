"""The OCI runtime that runs the container."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text

RUNTIME = Attribute(
    name="runtime",
    shape=Text(),
    apply=to_host("runtime"),
    source="Compose Specification, services, runtime",
)
