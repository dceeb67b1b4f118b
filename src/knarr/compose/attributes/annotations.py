"""Annotations of the container's OCI configuration."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Pairs

ANNOTATIONS = Attribute(
    name="annotations",
    shape=Pairs(),
    apply=to_host("annotations", dict),
    source="Compose Specification, services, annotations",
)
