"""Plans for containers that are there already: stopping, starting, restarting and the like."""

from collections.abc import Callable, Iterable
from typing import Final

from knarr.compose.actions import Action, Await, Plan
from knarr.compose.container_actions import (
    KillContainer,
    PauseContainer,
    RemoveContainer,
    RestartContainer,
    StartContainer,
    StopContainer,
    UnpauseContainer,
)
from knarr.compose.observed import RUNNING, Observed, name_of, service_of
from knarr.compose.ordering import in_dependency_order
from knarr.compose.project import CONDITION_STARTED, Project, Service
from knarr.compose.starting import RUNNING_OR_HEALTHY
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerSummary

_ACTIVE: Final = (RUNNING, "restarting", "paused")


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
