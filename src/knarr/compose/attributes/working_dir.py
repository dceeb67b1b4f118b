"""The directory in which the container's process starts."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Text

WORKING_DIR = Attribute(
    name="working_dir",
    shape=Text(),
    apply=to_config("working_dir"),
    source="Compose Specification, services, working_dir",
)
