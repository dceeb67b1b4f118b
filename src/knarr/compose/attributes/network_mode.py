"""Whose network the container has, instead of joining networks."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, config, host_config
from knarr.compose.namespace import resolved
from knarr.compose.shape import Text
from knarr.spec.docker.container import ContainerCreate


def apply(mode: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    body = host_config(body, network_mode=resolved(mode, scene))
    return config(body, network_disabled=True) if mode == "disabled" else body


NETWORK_MODE = Attribute(
    name="network_mode",
    shape=Text(),
    apply=apply,
    source="Compose Specification, services, network_mode",
)
