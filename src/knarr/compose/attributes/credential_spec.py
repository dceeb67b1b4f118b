"""A managed account of Windows: a config, a file or a registry value."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Fields, Text

CREDENTIAL_SPEC = Attribute(
    name="credential_spec",
    shape=Fields({"config": Text(), "file": Text(), "registry": Text()}),
    source="Compose Specification, services, credential_spec",
)
