"""What is there of a project: containers, networks, volumes, images, as the engine shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from knarr.compose import labels
from knarr.spec.docker.container import ContainerInspect, ContainerSummary
from knarr.spec.docker.image import ImageInspect
from knarr.spec.docker.network import Network
from knarr.spec.docker.volume import Volume

RUNNING: Final = "running"


def name_of(container: ContainerSummary) -> str:
    """Without the slash; the name that is not a link's."""
    names = [name.removeprefix("/") for name in container.names]
    return next((name for name in names if "/" not in name), container.id[:12])


def service_of(container: ContainerSummary) -> str:
    return container.labels.get(labels.SERVICE, "")


def number_of(container: ContainerSummary) -> int:
    """The container's number within its service; 0 when it has none."""
    number = container.labels.get(labels.NUMBER, "")
    return int(number) if number.isdecimal() else 0


def is_one_off(container: ContainerSummary) -> bool:
    """Made by ``run``, not by ``up``."""
    return container.labels.get(labels.ONE_OFF) == labels.YES


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The engine's present state, as far as the project is concerned."""

    containers: tuple[ContainerSummary, ...] = ()  # of the project, in any state
    networks: tuple[Network, ...] = ()  # all there are
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    images: Mapping[str, ImageInspect] = field(default_factory=dict)  # by the name services use
    inspected: Mapping[str, ContainerInspect] = field(default_factory=dict)  # by id
    api: tuple[int, int] = (1, 41)
    shares_ports: bool = False  # the engine has several containers take turns at ports
    draining: frozenset[str] = frozenset()  # identifiers of those that get no new connections

    def of_service(self, service: str) -> list[ContainerSummary]:
        """The service's containers, lowest number first; one-off ones are left out."""
        own = [each for each in self.containers if service_of(each) == service]
        return sorted(
            (each for each in own if not is_one_off(each)),
            key=lambda each: (number_of(each), name_of(each)),
        )

    def one_offs(self, service: str = "") -> list[ContainerSummary]:
        """Containers of ``run``, of one service or of all."""
        return [
            each
            for each in self.containers
            if is_one_off(each) and service in ("", service_of(each))
        ]

    def orphans(self, services: Iterable[str]) -> list[ContainerSummary]:
        """Containers of services that are not declared; one-off ones that have ended."""
        known = set(services)
        return [
            each
            for each in self.containers
            if (
                each.state in ("exited", "dead")
                if is_one_off(each)
                else service_of(each) not in known
            )
        ]

    def network(self, name: str) -> Network | None:
        """By name, or by identifier where the name is one."""
        named = [each for each in self.networks if each.name == name]
        return next(iter(named), None) or next(
            (each for each in self.networks if each.id == name), None
        )

    def image_id(self, name: str) -> str:
        """Empty when it is not there."""
        image = self.images.get(name)
        return image.id if image else ""
