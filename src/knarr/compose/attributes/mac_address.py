"""The hardware address of the container on its first network."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Text

# It belongs to an endpoint: networks.py gives it to the first one.
MAC_ADDRESS = Attribute(
    name="mac_address",
    shape=Text(),
    source="Compose Specification, services, mac_address",
)
