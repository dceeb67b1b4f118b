"""The size of /dev/shm."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Size

SHM_SIZE = Attribute(
    name="shm_size",
    shape=Size(),
    apply=to_host("shm_size", int),
    source="Compose Specification, services, shm_size",
)
