"""Another service that this one is a variation of; the loader merges the two."""

from knarr.compose.attribute import Attribute
from knarr.compose.shape import Either, Fields, FilePath, Text

EXTENDS = Attribute(
    name="extends",
    shape=Either(
        Text(),
        lambda service, _: {"service": service},
        Fields({"service": Text(), "file": FilePath()}, required=("service",), extensible=False),
    ),
    source="Compose Specification, services, extends",
)
