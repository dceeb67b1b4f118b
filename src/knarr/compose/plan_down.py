"""Plans for taking a project down: its containers, networks, and what else is asked for."""

from dataclasses import dataclass

from knarr.compose import labels
from knarr.compose.actions import (
    Action,
    Plan,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RunProvider,
)
from knarr.compose.container_actions import RemoveContainer, StopContainer
from knarr.compose.observed import Observed, name_of, service_of
from knarr.compose.ordering import in_dependency_order
from knarr.compose.project import Project
from knarr.compose.translation import is_external
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import ContainerSummary


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
