"""Ports that other services reach; they are not published."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, config
from knarr.compose.shape import ListOf, Text
from knarr.spec.docker.container import ContainerCreate


def apply(ports: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
    exposed: dict[str, dict[str, Any]] = {
        port if "/" in port else f"{port}/tcp": {} for port in ports
    }
    return config(body, exposed_ports={**(body.exposed_ports or {}), **exposed})


EXPOSE = Attribute(
    name="expose",
    shape=ListOf(Text(or_number=True), key=str),
    apply=apply,
    source="Compose Specification, services, expose",
)
