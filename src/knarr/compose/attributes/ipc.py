"""Whose memory and semaphores the container shares."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, host_config
from knarr.compose.namespace import resolved
from knarr.compose.shape import Text
from knarr.spec.docker.container import ContainerCreate


def apply(mode: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    return host_config(body, ipc_mode=resolved(mode, scene))


IPC = Attribute(
    name="ipc",
    shape=Text(),
    apply=apply,
    source="Compose Specification, services, ipc",
)
