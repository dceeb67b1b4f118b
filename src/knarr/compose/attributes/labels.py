"""Labels of the container; the prefix ``com.docker.compose`` is Compose's own."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, config
from knarr.compose.shape import Pairs
from knarr.spec.docker.container import ContainerCreate


def apply(labels: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
    return config(body, labels={**labels, **body.labels})


LABELS = Attribute(
    name="labels",
    shape=Pairs(),
    apply=apply,
    source="Compose Specification, services, labels",
)
