"""Why a container is not what its service says any more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from knarr.compose import labels
from knarr.compose.attribute import Scene
from knarr.compose.changes import Change, differences
from knarr.compose.observed import RUNNING, Observed, name_of, number_of
from knarr.compose.project import Project, Service
from knarr.compose.rendering import service_hash
from knarr.compose.translation import (
    container_body,
    project_labels,
    shared_services,
    with_containers,
)
from knarr.spec.docker.container import ContainerSummary

FORCE: Final = "force"
DIVERGED: Final = "diverged"
NEVER: Final = "never"


@dataclass(slots=True, kw_only=True)
class Reasons:
    """What the plan knows when it comes to a service: what else is replaced by it.

    first: by service, the first container; None when it is still to be made.
    """

    project: Project
    observed: Observed
    separator: str
    env_files: tuple[str, ...]
    first: Mapping[str, str | None] = field(default_factory=dict)
    replaced_networks: Mapping[str, str] = field(default_factory=dict)

    def of(self, service: Service, container: ContainerSummary, policy: str) -> tuple[Change, ...]:
        """Empty when it may stay. policy: force, diverged or never."""
        if policy == NEVER:
            return ()
        if policy == FORCE:
            return (Change(attribute="forced"),)
        for other in shared_services(service):
            if other in self.first and self.first[other] is None:
                return (Change(attribute=f"shares with service {other}, which is recreated"),)
        resolved = with_containers(service, self._containers())
        if container.labels.get(labels.CONFIG_HASH) != service_hash(resolved):
            return self._differences(service, container)
        return (
            *self._image_change(service, container),
            *self._network_changes(service, container),
            *self._volume_changes(service, container),
        )

    def _containers(self) -> dict[str, str]:
        return {name: each for name, each in self.first.items() if each is not None}

    def _differences(self, service: Service, container: ContainerSummary) -> tuple[Change, ...]:
        before = self.observed.inspected.get(container.id)
        if before is None:
            return (Change(attribute="configuration"),)
        scene = Scene(
            project=self.project,
            service=service,
            number=number_of(container),
            name=name_of(container),
            api=self.observed.api,
            containers=self._containers(),
        )
        common = project_labels(self.project, service.name, env_files=self.env_files)
        body = container_body(scene, own_labels=common, separator=self.separator)
        image = self.observed.images.get(before.config.image if before.config else "")
        found = differences(body, before, image.config if image else None)
        return tuple(found) or (Change(attribute="configuration"),)

    def _image_change(self, service: Service, container: ContainerSummary) -> Iterable[Change]:
        name = service.image_name(self.project.name, self.separator)
        old, new = container.labels.get(labels.IMAGE, ""), self.observed.image_id(name)
        if old != new:
            yield Change(attribute="image", old=_short(old), new=_short(new))

    def _network_changes(self, service: Service, container: ContainerSummary) -> Iterable[Change]:
        for key in service.get("networks", {}):
            name = self.project.networks[key]["name"]
            if key in self.replaced_networks:
                yield Change(attribute="networks", old=f"{name} as it was", new=name)
                continue
            there = self.observed.network(name)
            on = there is not None and is_on(container, there.id)
            if container.state == RUNNING and not on:
                yield Change(attribute="networks", new=name)

    def _volume_changes(self, service: Service, container: ContainerSummary) -> Iterable[Change]:
        mounted = {each.name for each in container.mounts if each.type == "volume"}
        for volume in service.get("volumes", []):
            if volume["type"] != "volume" or not volume.get("source"):
                continue
            name = self.project.volumes[volume["source"]]["name"]
            if name not in mounted:
                yield Change(attribute="volumes", new=f"{name}:{volume['target']}")


def is_on(container: ContainerSummary, network_id: str) -> bool:
    networks = container.network_settings.networks if container.network_settings else {}
    return any(each.network_id == network_id for each in networks.values())


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:12]
