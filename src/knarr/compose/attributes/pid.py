"""Whose processes the container sees."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, host_config
from knarr.compose.namespace import resolved
from knarr.compose.shape import Nullable, Text
from knarr.spec.docker.container import ContainerCreate


def apply(mode: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    return host_config(body, pid_mode=resolved(mode, scene))


PID = Attribute(
    name="pid",
    shape=Nullable(Text()),
    apply=apply,
    source="Compose Specification, services, pid",
)
