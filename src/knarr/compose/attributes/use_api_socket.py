"""Whether the container is given the engine's socket and the user's registry credentials."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Boolean

USE_API_SOCKET = Attribute(
    name="use_api_socket",
    shape=Boolean(strict=True),
    source="Compose Specification, services, use_api_socket",
)
