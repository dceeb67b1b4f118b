"""Configs that appear as files in the container; by default /NAME."""

from typing import Any

from knarr.compose import file_reference
from knarr.compose.attribute import Attribute, Scene
from knarr.compose.mounting import has_target, mount_of, with_mount
from knarr.compose.shape import ListOf
from knarr.spec.docker.container import ContainerCreate


def apply(configs: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    """Those from files are mounted; others are copied into the container before it starts."""
    for entry in configs:
        path = scene.project.configs[entry["source"]].get("file")
        target = file_reference.target(entry, "")
        if path and not has_target(body, target):
            mount = {"type": "bind", "target": target, "read_only": True}
            body = with_mount(mount_of(mount, path), body)
    return body


CONFIGS = Attribute(
    name="configs",
    shape=ListOf(file_reference.shape(), key=file_reference.key("")),
    apply=apply,
    source="Compose Specification, services, configs",
)
