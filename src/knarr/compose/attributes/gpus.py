"""GPUs for the container: ``all``, or requests for some."""

from typing import Any

from knarr.compose import device_request
from knarr.compose.attribute import Attribute, Scene, host, host_config
from knarr.compose.shape import Either, ListOf, Text
from knarr.spec.docker.container import ContainerCreate


def apply(requests: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
    more = tuple(device_request.request(each, "gpu") for each in requests)
    return host_config(body, device_requests=(*host(body).device_requests, *more))


GPUS = Attribute(
    name="gpus",
    shape=Either(
        Text(choices=("all",)),
        lambda _, __: [{"count": "all"}],
        ListOf(device_request.shape()),
    ),
    apply=apply,
    source="Compose Specification, services, gpus",
)
