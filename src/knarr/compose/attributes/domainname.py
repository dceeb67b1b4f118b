"""The domain the container has for itself."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Text

DOMAINNAME = Attribute(
    name="domainname",
    shape=Text(),
    apply=to_config("domainname"),
    source="Compose Specification, services, domainname",
)
