"""A managed account of Windows: a config, a file or a registry value."""

from knarr.compose.attribute import Attribute, without_effect
from knarr.compose.shape import Fields, Text

CREDENTIAL_SPEC = Attribute(
    name="credential_spec",
    shape=Fields({"config": Text(), "file": Text(), "registry": Text()}),
    apply=without_effect("credential_spec", "it is for containers of Windows"),
    source="Compose Specification, services, credential_spec",
)
