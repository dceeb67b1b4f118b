"""Plans for what is there already: stopping, starting, restarting, taking a project down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from knarr.compose import labels
from knarr.compose.actions import (
    Action,
    Await,
    KillContainer,
    PauseContainer,
    Plan,
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
from knarr.compose.observed import RUNNING, Observed, name_of, service_of
from knarr.compose.plan import in_dependency_order
from knarr.compose.project import CONDITION_STARTED, Project, Service
from knarr.compose.starting import RUNNING_OR_HEALTHY
from knarr.compose.translation import is_external
from knarr.errors import InvalidArgument, KnarrError
from knarr.spec.docker.container import ContainerSummary

_ACTIVE: Final = (RUNNING, "restarting", "paused")


def project_of(name: str, observed: Observed) -> Project:
    """What can be told of a project from its containers, networks and volumes alone."""
    first: dict[str, ContainerSummary] = {}
    for container in observed.containers:
        if service_of(container):
            first.setdefault(service_of(container), container)
    own = [each for each in observed.networks if each.labels.get(labels.PROJECT) == name]
    kept = [
        each
        for each in observed.volumes.values()
        if (each.labels or {}).get(labels.PROJECT) == name
    ]
    known = next(iter(first.values())).labels if first else {}
    return Project(
        name=name,
        directory=known.get(labels.WORKING_DIR, "/"),
        files=tuple(filter(None, known.get(labels.CONFIG_FILES, "").split(","))),
        services={service: _service_of(service, each) for service, each in first.items()},
        networks={each.labels.get(labels.NETWORK, each.name): {"name": each.name} for each in own},
        volumes={
            (each.labels or {}).get(labels.VOLUME, each.name): {"name": each.name} for each in kept
        },
    )


def _service_of(name: str, container: ContainerSummary) -> Service:
    needed = _dependencies(container.labels.get(labels.DEPENDS_ON, ""))
    return Service(name=name, values={"image": container.image, "depends_on": needed})


def _dependencies(label: str) -> dict[str, dict[str, object]]:
    """``db:service_healthy:false,cache:service_started:true``"""
    found = {}
    for entry in filter(None, label.split(",")):
        name, _, rest = entry.partition(":")
        condition, _, restart = rest.partition(":")
        found[name] = {
            "condition": condition or CONDITION_STARTED,
            "restart": restart == "true",
            "required": False,  # what is gone cannot be waited for
        }
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DownOptions:
    """services: only these, and nothing but their containers.  images: "", local or all."""

    services: tuple[str, ...] = ()
    volumes: bool = False
    images: str = ""
    remove_orphans: bool = False
    timeout: int | None = None
    separator: str = "-"


def plan_down(project: Project, observed: Observed, options: DownOptions) -> Plan:
    """Containers in the reverse order of their dependencies, then networks, volumes, images."""
    if options.images not in ("", "local", "all"):
        raise InvalidArgument(f'invalid value for --rmi: "{options.images}"')
    for name in options.services:
        project.service(name)
    wanted = options.services or tuple(project.services)
    actions: list[Action] = []
    removed: dict[str, list[str]] = {}
    for service in reversed(in_dependency_order(project)):
        if service.name not in wanted:
            continue
        dependents = project.dependents(service.name)
        after = frozenset(key for name in dependents for key in removed.get(name, ()))
        if service.get("provider"):
            actions.append(
                RunProvider(
                    key=f"provider {service.name}", after=after, service=service.name, verb="down"
                )
            )
            continue
        removed[service.name] = []
        for container in observed.of_service(service.name):
            removed[service.name].append(
                _stop_and_remove(actions, container, after, options.timeout, options.volumes)
            )
    if options.remove_orphans and not options.services:
        removed[""] = [
            _stop_and_remove(actions, each, frozenset(), options.timeout, volumes=False)
            for each in observed.orphans(project.all_services)
        ]
    gone = frozenset(key for keys in removed.values() for key in keys)
    if not options.services:
        actions += _networks_down(project, observed, gone)
        actions += _volumes_down(project, observed, gone) if options.volumes else []
    actions += _images_down(project, observed, options, gone)
    empty = not actions and not options.services
    warnings = (f'Warning: No resource found to remove for project "{project.name}".',)
    return Plan(project=project.name, actions=tuple(actions), warnings=warnings if empty else ())


def _stop_and_remove(
    actions: list[Action],
    container: ContainerSummary,
    after: frozenset[str],
    timeout: int | None,
    volumes: bool,
) -> str:
    name = name_of(container)
    stop, remove = f"stop {name}", f"remove {name}"
    actions.append(
        StopContainer(
            key=stop,
            after=after,
            service=service_of(container),
            container=name,
            id=container.id,
            timeout=timeout,
        )
    )
    actions.append(
        RemoveContainer(
            key=remove,
            after=frozenset([stop]),
            service=service_of(container),
            container=name,
            id=container.id,
            volumes=volumes,
        )
    )
    return remove


def _networks_down(project: Project, observed: Observed, gone: frozenset[str]) -> list[Action]:
    return [
        RemoveNetwork(
            key=f"remove network {key}", after=gone, full_name=network["name"], id=there.id
        )
        for key, network in sorted(project.networks.items())
        if not is_external(network)
        for there in observed.networks
        if there.name == network["name"]
        and there.labels.get(labels.PROJECT) == project.name
        and there.labels.get(labels.NETWORK) == key
    ]


def _volumes_down(project: Project, observed: Observed, gone: frozenset[str]) -> list[Action]:
    return [
        RemoveVolume(key=f"remove volume {key}", after=gone, full_name=volume["name"])
        for key, volume in sorted(project.volumes.items())
        if not is_external(volume) and volume["name"] in observed.volumes
    ]


def _images_down(
    project: Project, observed: Observed, options: DownOptions, gone: frozenset[str]
) -> list[Action]:
    """With ``local`` only those without a name of their own; they were built here."""
    if not options.images:
        return []
    names = {
        service.image_name(project.name, options.separator)
        for service in project.services.values()
        if options.images == "all" or not service.get("image")
    }
    return [
        RemoveImage(key=f"remove image {name}", after=gone, image=name)
        for name in sorted(names)
        if name in observed.images
    ]


def selected(
    project: Project, observed: Observed, services: Iterable[str]
) -> list[ContainerSummary]:
    """The containers of the named services, of all when none is named; in dependency order."""
    names = set(services)
    for name in names:
        project.service(name)
    return [
        container
        for service in in_dependency_order(project)
        if not names or service.name in names
        for container in observed.of_service(service.name)
    ]


def plan_stop(
    project: Project, observed: Observed, services: Iterable[str] = (), timeout: int | None = None
) -> Plan:
    """Running containers, those first that others do not depend on."""
    wanted = {each.id for each in selected(project, observed, services)}
    actions: list[Action] = []
    stops: dict[str, list[str]] = {}
    for service in reversed(in_dependency_order(project)):
        after = frozenset(
            key for name in project.dependents(service.name) for key in stops.get(name, ())
        )
        stops[service.name] = []
        for container in observed.of_service(service.name):
            if container.id not in wanted or container.state not in _ACTIVE:
                continue
            action = StopContainer(
                key=f"stop {name_of(container)}",
                after=after,
                service=service.name,
                container=name_of(container),
                id=container.id,
                timeout=timeout,
            )
            actions.append(action)
            stops[service.name].append(action.key)
    return Plan(project=project.name, actions=tuple(actions))


def plan_start(
    project: Project, observed: Observed, services: Iterable[str] = (), *, wait: bool = False
) -> Plan:
    """Containers that do not run, each after what it depends on, which is started as well.

    Raises KnarrError for a service without containers.
    """
    names = set(services)
    if names:
        names = set(project.selected(names).services)
    actions: list[Action] = []
    starts: dict[str, list[str]] = {}
    for service in in_dependency_order(project):
        if names and service.name not in names:
            continue
        found = observed.of_service(service.name)
        if not found and service.replicas and not service.get("provider"):
            raise KnarrError(f'service "{service.name}" has no container to start')
        after = _after_dependencies(service, project, starts, actions)
        starts[service.name] = []
        for container in found:
            if container.state == RUNNING:
                continue
            action = StartContainer(
                key=f"start {name_of(container)}",
                after=after,
                service=service.name,
                container=name_of(container),
            )
            actions.append(action)
            starts[service.name].append(action.key)
        if wait and found:
            actions.append(
                Await(
                    key=f"await {service.name}",
                    after=frozenset(starts[service.name]),
                    service=service.name,
                    condition=RUNNING_OR_HEALTHY,
                )
            )
    return Plan(project=project.name, actions=tuple(actions))


def _after_dependencies(
    service: Service, project: Project, starts: dict[str, list[str]], actions: list[Action]
) -> frozenset[str]:
    keys: list[str] = []
    for name, dependency in sorted(service.dependencies.items()):
        keys += starts.get(name, [])
        other = project.services.get(name)
        if dependency.condition == CONDITION_STARTED or other is None or not other.replicas:
            continue
        key = f"await {name} {dependency.condition}"
        if all(each.key != key for each in actions):
            actions.append(
                Await(
                    key=key,
                    after=frozenset(starts.get(name, [])),
                    service=name,
                    condition=dependency.condition,
                    required=dependency.required,
                    for_service=service.name,
                )
            )
        keys.append(key)
    return frozenset(keys)


def plan_restart(
    project: Project,
    observed: Observed,
    services: Iterable[str] = (),
    *,
    timeout: int | None = None,
    dependents: bool = True,
) -> Plan:
    """In dependency order; those who ask for it (``restart: true``) are restarted as well."""
    names = set(services) or set(project.services)
    for name in names:
        project.service(name)
    if dependents:
        names |= {
            other
            for name in list(names)
            for other, dependency in project.dependents(name).items()
            if dependency.restart
        }
    actions: list[Action] = []
    restarts: dict[str, list[str]] = {}
    for service in in_dependency_order(project):
        if service.name not in names:
            continue
        after = frozenset(key for name in service.dependencies for key in restarts.get(name, ()))
        restarts[service.name] = []
        for container in observed.of_service(service.name):
            action = RestartContainer(
                key=f"restart {name_of(container)}",
                after=after,
                service=service.name,
                container=name_of(container),
                id=container.id,
                timeout=timeout,
            )
            actions.append(action)
            restarts[service.name].append(action.key)
    return Plan(project=project.name, actions=tuple(actions))


def plan_each(
    project: Project,
    found: Iterable[ContainerSummary],
    action: Callable[[str, str, ContainerSummary], Action],
) -> Plan:
    """The same about each container, all at once. action: of service, name and container."""
    return Plan(
        project=project.name,
        actions=tuple(action(service_of(each), name_of(each), each) for each in found),
    )


def kill(signal: str) -> Callable[[str, str, ContainerSummary], Action]:
    return lambda service, name, container: KillContainer(
        key=f"kill {name}", service=service, container=name, id=container.id, signal=signal
    )


def pause(service: str, name: str, container: ContainerSummary) -> Action:
    return PauseContainer(key=f"pause {name}", service=service, container=name, id=container.id)


def unpause(service: str, name: str, container: ContainerSummary) -> Action:
    return UnpauseContainer(key=f"unpause {name}", service=service, container=name, id=container.id)


def remove(*, volumes: bool) -> Callable[[str, str, ContainerSummary], Action]:
    return lambda service, name, container: RemoveContainer(
        key=f"remove {name}", service=service, container=name, id=container.id, volumes=volumes
    )
