"""Carries a plan out through the engine's API: the one place of the room that changes anything."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from knarr.client.calls import containers, images, networks, volumes
from knarr.compose import labels, schedule
from knarr.compose.actions import (
    Action,
    Await,
    BuildImage,
    Checkpoint,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    Disconnect,
    KillContainer,
    PauseContainer,
    Plan,
    PullImage,
    RecreateContainer,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RestartContainer,
    RunProvider,
    StartContainer,
    StopContainer,
    UnpauseContainer,
)
from knarr.compose.attribute import Scene, config, host_config
from knarr.compose.attributes.networks import endpoint
from knarr.compose.attributes.security_opt import seccomp_file
from knarr.compose.engine import Engines
from knarr.compose.files import Files
from knarr.compose.hooks import run_hook
from knarr.compose.injection import archive, injected
from knarr.compose.links import links_of
from knarr.compose.observed import Observed, name_of
from knarr.compose.project import Project, Service
from knarr.compose.report import Progress, Report, State, unheard
from knarr.compose.translation import (
    container_body,
    container_labels,
    network_body,
    project_labels,
    volume_body,
    with_containers,
)
from knarr.compose.waiting import OptionalFailed, wait_for
from knarr.errors import Conflict, KnarrError, NotFound
from knarr.spec.docker.container import ContainerCreate, ContainerCreated, ContainerSummary
from knarr.spec.docker.image import ImageInspect
from knarr.spec.document import encode

_API_SEVERAL_ENDPOINTS: Final = (1, 44)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What is needed beside the engine to carry a plan out."""

    files: Files
    report: Report = unheard
    output: Callable[[str, bytes], None] = lambda _, __: None  # what hooks write, by container
    pull: Callable[[PullImage], None] | None = None
    build: Callable[[BuildImage], None] | None = None
    provide: Callable[[RunProvider], None] | None = None
    started: Callable[[StartContainer, str], None] = lambda _, __: None  # and its id
    separator: str = "-"
    env_files: tuple[str, ...] = ()
    at_once: int = 16
    wait_timeout: float | None = None  # seconds


@dataclass(slots=True)
class _State:
    """Which containers there are, while the plan goes on."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    names: dict[str, str] = field(default_factory=dict)  # container name to id
    services: dict[str, set[str]] = field(default_factory=dict)  # service to container names

    def add(self, service: str, name: str, identifier: str) -> None:
        with self.lock:
            self.names[name] = identifier
            self.services.setdefault(service, set()).add(name)

    def remove(self, service: str, name: str) -> None:
        with self.lock:
            self.names.pop(name, None)
            self.services.get(service, set()).discard(name)

    def of_service(self, service: str) -> list[str]:
        with self.lock:
            return sorted(self.services.get(service, ()))

    def first(self) -> dict[str, str]:
        """By service: the identifier of its first container by name."""
        with self.lock:
            return {
                service: self.names[min(names)] for service, names in self.services.items() if names
            }


def apply(plan: Plan, project: Project, observed: Observed, engines: Engines, means: Means) -> None:
    """Do what the plan says. Raises what the first failing action raised, by meaning."""
    failure = schedule.run(
        plan.actions, _Applier(project, observed, engines, means).act, at_once=means.at_once
    )
    if failure is not None:
        raise failure


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
    return _Applier(project, observed, engines, means).one_off(container)


class _Applier:
    def __init__(
        self, project: Project, observed: Observed, engines: Engines, means: Means
    ) -> None:
        self._project = project
        self._observed = observed
        self._engines = engines
        self._means = means
        self._state = _State()
        self._acts: dict[type[Action], Callable[[Any], str | None]] = {
            CreateNetwork: self._create_network,
            RemoveNetwork: self._remove_network,
            Disconnect: self._disconnect,
            CreateVolume: self._create_volume,
            RemoveVolume: self._remove_volume,
            PullImage: self._pull,
            BuildImage: self._build,
            RemoveImage: self._remove_image,
            RunProvider: self._provide,
            CreateContainer: self._create,
            RecreateContainer: self._recreate,
            StartContainer: self._start,
            StopContainer: self._stop,
            RestartContainer: self._restart,
            KillContainer: self._kill,
            PauseContainer: self._pause,
            UnpauseContainer: self._unpause,
            RemoveContainer: self._remove,
            Await: self._await,
        }
        for container in observed.containers:
            service = container.labels.get(labels.SERVICE, "")
            if container.labels.get(labels.ONE_OFF) != labels.YES:
                self._state.add(service, name_of(container), container.id)

    def act(self, action: Action) -> None:
        """One action, with its beginning and its end reported."""
        if isinstance(action, Checkpoint):
            return
        self._tell(action, action.doing)
        try:
            text = self._acts[type(action)](action) or action.done
        except Exception as error:
            self._tell(action, "Error", State.ERROR, str(error))
            raise
        self._tell(action, text, State.DONE)

    def _tell(
        self, action: Action, text: str, state: State = State.WORKING, detail: str = ""
    ) -> None:
        for subject in self._subjects(action):
            self._means.report(Progress(subject=subject, text=text, state=state, detail=detail))

    def _subjects(self, action: Action) -> list[str]:
        """What a report is about: of a wait all containers that are waited for."""
        if isinstance(action, RunProvider):
            return []  # the program tells itself what it does
        if isinstance(action, Await):
            return [f"Container {name}" for name in self._state.of_service(action.service)]
        return [action.subject]

    # networks, volumes, images

    def _create_network(self, action: CreateNetwork) -> None:
        self._engines.do(networks.create(network_body(self._project, action.network)))

    def _remove_network(self, action: RemoveNetwork) -> str | None:
        return self._remove_unless_used(networks.remove(action.id))

    def _disconnect(self, action: Disconnect) -> None:
        request = networks.disconnect(action.network_id, action.container, force=True)
        self._engines.do(request)

    def _create_volume(self, action: CreateVolume) -> None:
        self._engines.do(volumes.create(volume_body(self._project, action.volume)))

    def _remove_volume(self, action: RemoveVolume) -> str | None:
        return self._remove_unless_used(volumes.remove(action.full_name, force=True))

    def _remove_image(self, action: RemoveImage) -> str | None:
        return self._remove_unless_used(images.remove(action.image))

    def _pull(self, action: PullImage) -> str | None:
        if self._means.pull is None:
            return "Skipped"
        try:
            self._means.pull(action)
        except KnarrError as error:
            if not action.optional:
                raise
            self._tell(action, "Warning", State.WARNING, str(error))
            return "Not pulled; it is built instead"
        return None

    def _build(self, action: BuildImage) -> str | None:
        if self._means.build is None:
            return "Skipped"
        if action.unless_present:
            there = self._engines.ask_for(images.inspect(action.image), ImageInspect)
            if there is not None:
                return "Already exists"
        self._means.build(action)
        return None

    def _provide(self, action: RunProvider) -> None:
        if self._means.provide is not None:
            self._means.provide(action)

    def _remove_unless_used(self, request: Any) -> str | None:
        try:
            self._engines.do(request)
        except Conflict:
            return "Resource is still in use"
        except NotFound:
            return "No resource found to remove"
        return None

    # containers

    def _service(self, name: str) -> Service:
        return self._project.all_services[name]

    def _scene(
        self, service: Service, number: int, name: str, inherited: Mapping[str, str]
    ) -> Scene:
        links = links_of(
            service, self._project.name, number, self._state.of_service, self._means.separator
        )
        return Scene(
            project=self._project,
            service=service,
            number=number,
            name=name,
            api=self._observed.api,
            containers=self._state.first(),
            links=links,
            inherited=inherited,
            seccomp=self._seccomp(service),
        )

    def _seccomp(self, service: Service) -> dict[str, str]:
        """The profiles that security options name, each on one line as the engine wants it."""
        paths = [seccomp_file(option) for option in service.get("security_opt", [])]
        return {
            path: msgspec.json.encode(
                msgspec.json.decode(self._means.files.read(self._absolute(path)))
            ).decode()
            for path in paths
            if path is not None
        }

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self._project.directory}/{path}"

    def _create(self, action: CreateContainer) -> None:
        service = self._service(action.service)
        scene = self._scene(service, action.number, action.container, {})
        identifier = self._made(scene, action.container, {})
        self._state.add(service.name, action.container, identifier)

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
        self._inject(service, identifier)
        return identifier

    def _made(
        self,
        scene: Scene,
        name: str,
        more_labels: Mapping[str, str],
        changed: Callable[[ContainerCreate], ContainerCreate] = lambda body: body,
    ) -> str:
        """A container for the scene; with older engines it joins its other networks afterwards."""
        service = scene.service
        image = service.image_name(self._project.name, self._means.separator)
        common = project_labels(self._project, service.name, env_files=self._means.env_files)
        own = container_labels(
            common,
            with_containers(service, scene.containers),
            number=scene.number,
            image_id=self._observed.image_id(image),
        )
        body = container_body(
            scene, own_labels={**own, **more_labels}, separator=self._means.separator
        )
        platform = service.get("platform") or self._project.environment.get(
            "DOCKER_DEFAULT_PLATFORM"
        )
        request = containers.create(changed(body), name=name, platform=platform)
        created = self._engines.ask(request, ContainerCreated)
        for warning in created.warnings:
            self._means.report(
                Progress(subject=f"Container {name}", text=warning, state=State.WARNING)
            )
        self._join_others(scene, created.id)
        return created.id

    def _join_others(self, scene: Scene, identifier: str) -> None:
        if scene.api >= _API_SEVERAL_ENDPOINTS or scene.service.get("network_mode"):
            return
        declared = scene.service.get("networks", {})
        for key in scene.service.networks_by_priority[1:]:
            settings = endpoint(key, declared[key] or {}, scene)
            plain = msgspec.json.decode(encode(settings))
            name = self._project.networks[key]["name"]
            self._engines.do(networks.connect(name, identifier, plain))

    def _recreate(self, action: RecreateContainer) -> None:
        """Beside the old one first, under another name; the old one is gone before it starts."""
        service = self._service(action.service)
        before = self._summary(action.replaced)
        inherited = self._inherited(service, before) if action.inherit and before else {}
        scene = self._scene(service, action.number, action.container, inherited)
        replaced = service.get("container_name") or self._means.separator.join(
            (service.name, str(action.number))
        )
        temporary = f"{action.replaced[:12]}_{action.container}"
        identifier = self._made(scene, temporary, {labels.REPLACE: replaced})
        self._engines.do(containers.stop(action.replaced, timeout=action.timeout))
        self._engines.do(containers.remove(action.replaced))
        self._engines.do(containers.rename(identifier, action.container))
        if before is not None:
            self._state.remove(service.name, name_of(before))
        self._state.add(service.name, action.container, identifier)

    def _summary(self, identifier: str) -> ContainerSummary | None:
        return next((each for each in self._observed.containers if each.id == identifier), None)

    def _inherited(self, service: Service, before: ContainerSummary) -> dict[str, str]:
        """Anonymous volumes of the container before, by where they are mounted."""
        image = self._observed.images.get(
            service.image_name(self._project.name, self._means.separator)
        )
        declared = set(image.config.volumes) if image and image.config else set()
        declared |= {
            volume["target"] for volume in service.get("volumes", []) if not volume.get("source")
        }
        return {
            mount.destination: mount.name
            for mount in before.mounts
            if mount.type == "volume" and mount.destination in declared
        }

    def _start(self, action: StartContainer) -> None:
        service = self._service(action.service)
        identifier = self._state.names.get(action.container, action.container)
        self._inject(service, identifier)
        self._engines.do(containers.start(identifier))
        self._means.started(action, identifier)
        for hook in service.get("post_start", []):
            self._hook(identifier, action, hook)

    def _inject(self, service: Service, identifier: str) -> None:
        for file in injected(self._project, service):
            self._engines.do(
                containers.put_archive(
                    identifier, "/", archive(file, time.time()), copy_ids=file.owned
                )
            )

    def _hook(self, identifier: str, action: Any, hook: Mapping[str, Any]) -> None:
        run_hook(
            self._engines,
            identifier,
            hook,
            lambda data: self._means.output(action.container, data),
        )

    def _stop(self, action: StopContainer) -> None:
        service = self._project.all_services.get(action.service)
        try:
            for hook in service.get("pre_stop", []) if service else ():
                self._hook(action.id, action, hook)
            self._engines.do(containers.stop(action.id, timeout=action.timeout))
        except NotFound:
            return

    def _restart(self, action: RestartContainer) -> None:
        self._engines.do(containers.restart(action.id, timeout=action.timeout))
        service = self._project.all_services.get(action.service)
        for hook in service.get("post_start", []) if service else ():
            self._hook(action.id, action, hook)

    def _kill(self, action: KillContainer) -> None:
        self._engines.do(containers.kill(action.id, signal=action.signal))

    def _pause(self, action: PauseContainer) -> None:
        self._engines.do(containers.pause(action.id))

    def _unpause(self, action: UnpauseContainer) -> None:
        self._engines.do(containers.unpause(action.id))

    def _remove(self, action: RemoveContainer) -> None:
        with suppress(NotFound):
            self._engines.do(containers.remove(action.id, force=True, volumes=action.volumes))
        self._state.remove(action.service, action.container)

    def _await(self, action: Await) -> str:
        identifiers = [self._state.names[name] for name in self._state.of_service(action.service)]
        try:
            return wait_for(self._engines, action, identifiers, self._means.wait_timeout)
        except OptionalFailed as error:
            self._tell(action, str(error), State.WARNING)
            return "Skipped"
