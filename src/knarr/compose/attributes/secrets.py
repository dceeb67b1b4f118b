"""Secrets that appear as files in the container; by default /run/secrets/NAME."""

from typing import Any, Final

from knarr.compose import file_reference
from knarr.compose.attribute import Attribute, Scene
from knarr.compose.mounting import has_target, mount_of, with_mount
from knarr.compose.shape import ListOf, Place
from knarr.spec.docker.container import ContainerCreate

DIRECTORY: Final = "/run/secrets"


def _settle(entry: dict[str, Any], at: Place) -> dict[str, Any]:  # noqa: ARG001
    return {"target": f"{DIRECTORY}/{entry.get('source')}", **entry}


def apply(secrets: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    """Those from files are mounted; others are copied into the container before it starts."""
    for entry in secrets:
        path = scene.project.secrets[entry["source"]].get("file")
        target = file_reference.target(entry, DIRECTORY)
        if path and not has_target(body, target):
            mount = {"type": "bind", "target": target, "read_only": True, "bind": {}}
            body = with_mount(mount_of(mount, path), body)
    return body


SECRETS = Attribute(
    name="secrets",
    shape=ListOf(
        file_reference.shape(_settle),
        key=file_reference.key(DIRECTORY),
    ),
    apply=apply,
    source="Compose Specification, services, secrets",
)
