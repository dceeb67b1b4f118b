"""Files of labels, in the form of env files; ``labels`` has the last word."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import FilePath, ListOf

LABEL_FILE = Attribute(
    name="label_file",
    shape=ListOf(FilePath(), lonely=True),
    source="Compose Specification, services, label_file",
)
