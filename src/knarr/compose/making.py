"""Containers of services, made and not yet started: the request, what is put into them, links."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from knarr.client.calls import containers, networks
from knarr.compose import labels
from knarr.compose.attribute import Scene, config, host_config
from knarr.compose.attributes.networks import endpoint
from knarr.compose.attributes.security_opt import seccomp_file
from knarr.compose.engine import Engines
from knarr.compose.injection import archive, injected
from knarr.compose.links import links_of
from knarr.compose.means import Means
from knarr.compose.observed import Observed
from knarr.compose.project import Project, Service
from knarr.compose.report import Progress, State
from knarr.compose.roster import Roster
from knarr.compose.translation import (
    container_body,
    container_labels,
    project_labels,
    with_containers,
)
from knarr.spec.docker.container import (
    ContainerCreate,
    ContainerCreated,
    ContainerSummary,
    EndpointSettings,
    NetworkingConfig,
)
from knarr.spec.document import encode

_API_SEVERAL_ENDPOINTS: Final = (1, 44)

Changed = Callable[[ContainerCreate], ContainerCreate]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOff:
    """The container of a ``run``. aliases: others find it under the service's names too."""

    service: Service
    name: str
    slug: str
    aliases: bool = False
    auto_remove: bool = False


def create_one_off(
    container: OneOff, project: Project, observed: Observed, engines: Engines, means: Means
) -> str:
    """Its identifier; it does not run yet."""
    roster = Roster(observed.containers)
    return Maker(project, observed, engines, means, roster).one_off(container)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes containers as their services say."""

    project: Project
    observed: Observed
    engines: Engines
    means: Means
    roster: Roster

    def make(
        self,
        service: Service,
        number: int,
        name: str,
        *,
        called: str = "",
        more_labels: Mapping[str, str] | None = None,
        inherited: Mapping[str, str] | None = None,
    ) -> str:
        """The identifier of a new container. called: its name for now, when not ``name`` yet."""
        scene = self._scene(service, number, name, inherited or {})
        return self._made(scene, called or name, more_labels or {})

    def make_again(
        self,
        service: Service,
        request: ContainerCreate,
        called: str,
        more_labels: Mapping[str, str],
    ) -> str:
        """The identifier of a new container as a request of another time says."""
        own = dict(sorted({**request.labels, **more_labels}.items()))
        endpoints = (
            dict(request.networking_config.endpoints_config) if (request.networking_config) else {}
        )
        later: dict[str, EndpointSettings] = {}
        if self.observed.api < _API_SEVERAL_ENDPOINTS:
            mode = request.host_config.network_mode if request.host_config else ""
            later = {name: each for name, each in endpoints.items() if name != mode}
            endpoints = {name: each for name, each in endpoints.items() if name == mode}
        body = config(
            request, labels=own, networking_config=NetworkingConfig(endpoints_config=endpoints)
        )
        identifier = self.create(service, body, called)
        for name, settings in later.items():
            self._join(name, identifier, settings)
        return identifier

    def one_off(self, container: OneOff) -> str:
        service = container.service
        scene = replace(
            self._scene(service, 0, container.name, {}), service_aliases=container.aliases
        )
        own = {labels.SLUG: container.slug, labels.ONE_OFF: labels.YES}
        interactive = service.get("stdin_open", False)
        identifier = self._made(
            scene, container.name, own,
            lambda body: host_config(
                config(body, attach_stdin=interactive, stdin_once=interactive),
                auto_remove=container.auto_remove,
            ),
        )  # fmt: skip
        self.inject(service, identifier)
        return identifier

    def inject(self, service: Service, identifier: str) -> None:
        """Put configs and secrets that are no mounts into a container."""
        for file in injected(self.project, service):
            self.engines.do(
                containers.put_archive(
                    identifier, "/", archive(file, time.time()), copy_ids=file.owned
                )
            )

    def inherited(self, service: Service, before: ContainerSummary) -> dict[str, str]:
        """Anonymous volumes of the container before, by where they are mounted."""
        image = self.observed.images.get(self._image_name(service))
        declared = set(image.config.volumes) if image and image.config else set()
        declared |= {
            volume["target"] for volume in service.get("volumes", []) if not volume.get("source")
        }
        return {
            mount.destination: mount.name
            for mount in before.mounts
            if mount.type == "volume" and mount.destination in declared
        }

    def _image_name(self, service: Service) -> str:
        return service.image_name(self.project.name, self.means.separator)

    def _scene(
        self, service: Service, number: int, name: str, inherited: Mapping[str, str]
    ) -> Scene:
        return Scene(
            project=self.project,
            service=service,
            number=number,
            name=name,
            api=self.observed.api,
            containers=self.roster.first(),
            links=links_of(
                service, self.project.name, number, self.roster.of_service, self.means.separator
            ),
            inherited=inherited,
            seccomp=self._seccomp(service),
            warn=self.means.warn,
        )

    def _seccomp(self, service: Service) -> dict[str, str]:
        """The profiles that security options name, each on one line as the engine wants it."""
        paths = [seccomp_file(option) for option in service.get("security_opt", [])]
        return {
            path: msgspec.json.encode(
                msgspec.json.decode(self.means.files.read(self._absolute(path)))
            ).decode()
            for path in paths
            if path is not None
        }

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.project.directory}/{path}"

    def _made(
        self,
        scene: Scene,
        name: str,
        more_labels: Mapping[str, str],
        changed: Changed = lambda body: body,
    ) -> str:
        """A container for the scene; with older engines it joins its other networks afterwards."""
        service = scene.service
        common = project_labels(self.project, service.name, env_files=self.means.env_files)
        own = container_labels(
            common,
            with_containers(service, scene.containers),
            number=scene.number,
            image_id=self.observed.image_id(self._image_name(service)),
        )
        body = container_body(
            scene, own_labels={**own, **more_labels}, separator=self.means.separator
        )
        identifier = self.create(service, changed(body), name)
        self._join_others(scene, identifier)
        return identifier

    def create(self, service: Service, body: ContainerCreate, name: str) -> str:
        """The identifier of what the engine makes of ``body``; its warnings are told."""
        platform = service.get("platform") or self.project.environment.get(
            "DOCKER_DEFAULT_PLATFORM"
        )
        request = containers.create(body, name=name, platform=platform)
        created = self.engines.ask(request, ContainerCreated)
        for warning in created.warnings:
            self.means.report(
                Progress(subject=f"Container {name}", text=warning, state=State.WARNING)
            )
        return created.id

    def _join_others(self, scene: Scene, identifier: str) -> None:
        if scene.api >= _API_SEVERAL_ENDPOINTS or scene.service.get("network_mode"):
            return
        declared = scene.service.get("networks", {})
        for key in scene.service.networks_by_priority[1:]:
            settings = endpoint(key, declared[key] or {}, scene)
            self._join(self.project.networks[key]["name"], identifier, settings)

    def _join(self, network: str, identifier: str, settings: EndpointSettings) -> None:
        plain = msgspec.json.decode(encode(settings))
        self.engines.do(networks.connect(network, identifier, plain))
