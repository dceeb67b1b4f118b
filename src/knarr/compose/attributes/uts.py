"""``host``: the container shares the host's name and domain."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text

UTS = Attribute(
    name="uts",
    shape=Text(),
    apply=to_host("uts_mode"),
    source="Compose Specification, services, uts",
)
