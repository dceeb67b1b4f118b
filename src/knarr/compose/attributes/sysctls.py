"""Kernel parameters of the container's namespaces."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Pairs

SYSCTLS = Attribute(
    name="sysctls",
    shape=Pairs(),
    apply=to_host("sysctls", dict),
    source="Compose Specification, services, sysctls",
)
