"""``host``: the container shares the host's user namespace."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text

USERNS_MODE = Attribute(
    name="userns_mode",
    shape=Text(),
    apply=to_host("userns_mode"),
    source="Compose Specification, services, userns_mode",
)
