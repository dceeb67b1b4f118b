"""What an attribute of a service is: its shape in the file, and what it does to a container.

One file each in ``attributes/``; the order in which ``config`` shows them is in ``model.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from knarr.compose.project import Project, Service
from knarr.compose.shape import Place, Shape
from knarr.spec.docker.container import ContainerCreate, HostConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What stands around a container that is about to be created."""

    project: Project
    service: Service
    number: int = 1  # counts from 1 within the service; 0 for a one-off container
    name: str = ""
    api: tuple[int, int] = (1, 41)  # what the engine speaks
    containers: Mapping[str, str] = field(default_factory=dict)  # service name to container
    links: tuple[str, ...] = ()  # container:alias
    inherited: Mapping[str, str] = field(default_factory=dict)  # mount target to volume's name
    service_aliases: bool = True  # the service's name is a DNS name of the container
    seccomp: Mapping[str, str] = field(default_factory=dict)  # path to the profile's text
    warn: Callable[[str], None] = lambda _: None  # of what the file says and nobody will do


Apply = Callable[[Any, ContainerCreate, Scene], ContainerCreate]


def not_for_containers(value: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
    """The attribute says something about the service, not about one container."""
    return body


def without_effect(name: str, why: str) -> Apply:
    """The attribute is for engines of another kind: who wrote it is told that it does nothing."""

    def apply(value: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
        scene.warn(f"services.{scene.service.name}.{name} has no effect: {why}")
        return body

    return apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a service.

    shape: how it may be written, read and merged.  apply: what its canonical value changes in the
    request that creates a container.  source: where it is specified.
    """

    name: str
    shape: Shape
    apply: Apply = not_for_containers
    source: str = ""

    def read(self, value: Any, at: Place | None = None) -> Any:
        """From any spelling to the canonical one. Raises ShapeError."""
        place = at or Place(("services", "", self.name))
        self.shape.check(value, place)
        return self.shape.read(value, place)

    def merge(self, base: Any, other: Any) -> Any:
        """A later file's canonical value over an earlier one's."""
        return self.shape.merge(base, other)


def config(body: ContainerCreate, **changes: Any) -> ContainerCreate:
    """The request with fields of its Config replaced."""
    return msgspec.structs.replace(body, **changes)


def host_config(body: ContainerCreate, **changes: Any) -> ContainerCreate:
    """The request with fields of its HostConfig replaced."""
    before = body.host_config or HostConfig()
    return msgspec.structs.replace(body, host_config=msgspec.structs.replace(before, **changes))


def host(body: ContainerCreate) -> HostConfig:
    return body.host_config or HostConfig()


def to_config(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Apply:
    """The value becomes a field of Config."""
    return lambda value, body, _: config(body, **{name: convert(value)})


def to_host(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Apply:
    """The value becomes a field of HostConfig."""
    return lambda value, body, _: host_config(body, **{name: convert(value)})
