"""Projects and what there is of them, for tests that need no engine."""

from typing import Any

from knarr.compose import labels
from knarr.compose.files import Texts
from knarr.compose.loader import Request, load
from knarr.compose.observed import Observed
from knarr.compose.project import Project
from knarr.compose.rendering import network_hash, service_hash
from knarr.spec.docker.container import ContainerSummary
from knarr.spec.docker.image import ImageInspect
from knarr.spec.docker.network import Network
from knarr.spec.document import decode, encode

IMAGE_ID = "sha256:" + "a" * 64


def project_of(text: str) -> Project:
    """The project ``app`` that a compose file in /app says."""
    files = Texts({"/app/compose.yaml": text})
    request = Request(files=("/app/compose.yaml",), directory="/app", name="app")
    return load(request, files).without_unused_resources()


def container_of(
    project: Project, service: str, number: int = 1, *, state: str = "running", **changes: Any
) -> ContainerSummary:
    """A container as ``up`` would have left it; ``changes`` are fields or labels of another one."""
    own = {
        labels.PROJECT: project.name,
        labels.SERVICE: service,
        labels.NUMBER: str(number),
        labels.ONE_OFF: labels.NO,
        labels.CONFIG_HASH: service_hash(project.services[service]),
        labels.IMAGE: IMAGE_ID,
    } | changes.pop("labels", {})
    name = changes.pop("name", f"{project.name}-{service}-{number}")
    identifier = changes.pop("id", f"{service}{number}" + "0" * 12)
    networks = {
        project.networks[key]["name"]: {"NetworkID": f"id of {key}"}
        for key in project.services[service].get("networks", {})
    }
    document = {
        "Id": identifier,
        "Names": [f"/{name}"],
        "State": state,
        "Labels": own,
        "NetworkSettings": {"Networks": networks},
    } | changes
    return decode(encode(document), ContainerSummary)


def observed_of(project: Project, *containers: ContainerSummary, **changes: Any) -> Observed:
    """Those containers, the project's networks and the images of its services."""
    networks = tuple(
        Network(
            name=each["name"],
            id=f"id of {key}",
            labels={
                labels.PROJECT: project.name,
                labels.NETWORK: key,
                labels.CONFIG_HASH: network_hash(each),
            },
        )
        for key, each in project.networks.items()
    )
    images = {
        service.image_name(project.name): ImageInspect(id=IMAGE_ID)
        for service in project.services.values()
    }
    return Observed(
        **({"containers": containers, "networks": networks, "images": images} | changes)
    )
