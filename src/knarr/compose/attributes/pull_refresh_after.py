"""After how long the pull policy ``refresh`` fetches an image again."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Text

PULL_REFRESH_AFTER = Attribute(
    name="pull_refresh_after",
    shape=Text(),
    source="Compose Specification, services, pull_refresh_after",
)
