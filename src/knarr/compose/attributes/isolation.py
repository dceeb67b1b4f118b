"""How the container is set apart; a platform's own word."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text

ISOLATION = Attribute(
    name="isolation",
    shape=Text(),
    apply=to_host("isolation"),
    source="Compose Specification, services, isolation",
)
