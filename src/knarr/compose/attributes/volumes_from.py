"""Mounts of other containers: ``SERVICE[:ro]``, ``container:NAME[:ro]``."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, host_config
from knarr.compose.namespace import CONTAINER
from knarr.compose.shape import ListOf, Text
from knarr.spec.docker.container import ContainerCreate


def service_in(entry: str) -> str | None:
    """The service that an entry names, if it names one."""
    return None if entry.startswith(CONTAINER) else entry.partition(":")[0]


def apply(entries: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    return host_config(body, volumes_from=tuple(_resolved(entry, scene) for entry in entries))


def _resolved(entry: str, scene: Scene) -> str:
    if entry.startswith(CONTAINER):
        return entry.removeprefix(CONTAINER)
    service, colon, mode = entry.partition(":")
    return scene.containers.get(service, service) + colon + mode


VOLUMES_FROM = Attribute(
    name="volumes_from",
    shape=ListOf(Text(), unique=True),
    apply=apply,
    source="Compose Specification, services, volumes_from",
)
