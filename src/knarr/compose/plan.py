"""From what is to what shall be: the actions that bring a project up, computed and not yet done.

The order is that of Compose: images, networks and volumes, then containers in the order of their
dependencies, and only when all are created does the first one start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from knarr.compose import labels
from knarr.compose.actions import (
    CREATED,
    Action,
    Await,
    Checkpoint,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    Disconnect,
    Plan,
    RecreateContainer,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from knarr.compose.attribute import Scene
from knarr.compose.changes import Change, differences
from knarr.compose.naming import container_name
from knarr.compose.observed import RUNNING, Observed, name_of, number_of
from knarr.compose.project import CONDITION_STARTED, Project, Service
from knarr.compose.rendering import network_hash, service_hash, volume_hash
from knarr.compose.translation import (
    container_body,
    is_external,
    project_labels,
    shared_services,
    with_containers,
)
from knarr.errors import InvalidArgument, NotFound
from knarr.spec.docker.container import ContainerSummary
from knarr.spec.docker.network import Network

FORCE: Final = "force"
DIVERGED: Final = "diverged"
NEVER: Final = "never"
COMPLETED: Final = "service_completed_successfully"
RUNNING_OR_HEALTHY: Final = "running_or_healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What ``up`` and ``create`` are asked for.

    services: those that were named; the others are there as their dependencies.
    recreate, recreate_dependencies: force, diverged or never.
    """

    services: tuple[str, ...] = ()
    recreate: str = DIVERGED
    recreate_dependencies: str = DIVERGED
    inherit: bool = True  # anonymous volumes of the container before
    start: bool = True
    wait: bool = False
    remove_orphans: bool = False
    ignore_orphans: bool = False
    replace_volumes: bool = False
    timeout: int | None = None
    separator: str = "-"
    env_files: tuple[str, ...] = ()


def in_dependency_order(project: Project) -> list[Service]:
    """Services, each after those it depends on; by name where nothing else decides."""
    ordered: list[Service] = []
    done: set[str] = set()

    def add(name: str) -> None:
        if name in done or name not in project.services:
            return
        done.add(name)
        service = project.services[name]
        for needed in sorted(service.dependencies):
            add(needed)
        ordered.append(service)

    for name in sorted(project.services):
        add(name)
    return ordered


def plan_up(project: Project, observed: Observed, options: UpOptions) -> Plan:
    """What creates, replaces and starts. Images are there already, or are not known here.

    Raises NotFound for what is external and missing, InvalidArgument for what cannot be scaled.
    """
    return _Up(project, observed, options).plan()


def plan_dependencies(project: Project, observed: Observed, name: str, options: UpOptions) -> Plan:
    """What a one-off container of a service needs: the others up, as it asks for them."""
    service = project.services[name]
    others = {key: each for key, each in project.services.items() if key != name}
    rest = replace(project, services=others, disabled={**project.disabled, name: service})
    plan = plan_up(rest, observed, options)
    starts: dict[str, list[str]] = {}
    for action in plan.actions:
        if isinstance(action, StartContainer):
            starts.setdefault(action.service, []).append(action.key)
    awaits = [
        Await(
            key=f"await {other} {dependency.condition}",
            after=frozenset(starts.get(other, ())),
            service=other,
            condition=dependency.condition,
            required=dependency.required,
            for_service=name,
        )
        for other, dependency in sorted(service.dependencies.items())
        if dependency.condition != CONDITION_STARTED and other in others
    ]
    known = {action.key for action in plan.actions}
    more = tuple(each for each in awaits if each.key not in known)
    return replace(plan, actions=(*plan.actions, *more))


@dataclass(slots=True)
class _Up:
    project: Project
    observed: Observed
    options: UpOptions
    actions: list[Action] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # by service: the first container, None when it is still to be made
    first: dict[str, str | None] = field(default_factory=dict)
    created: dict[str, list[str]] = field(default_factory=dict)  # by service: keys of creations
    to_start: dict[str, list[str]] = field(default_factory=dict)  # by service: container names
    stopped: set[str] = field(default_factory=set)  # identifiers that the plan itself stops
    replaced_networks: dict[str, str] = field(default_factory=dict)  # key to the new one's creation
    replaced_volumes: dict[str, str] = field(default_factory=dict)

    def plan(self) -> Plan:
        for key in sorted(self.project.networks):
            self._network(key)
        for key in sorted(self.project.volumes):
            self._volume(key)
        self._orphans()
        order = in_dependency_order(self.project)
        for service in order:
            self._service(service)
        if self.options.start:
            self._starts(order)
        return Plan(
            project=self.project.name,
            actions=tuple(self.actions),
            kept=tuple(self.kept),
            warnings=tuple(self.warnings),
        )

    def _add(self, action: Action) -> str:
        self.actions.append(action)
        return action.key

    # networks

    def _network(self, key: str) -> None:
        declared = self.project.networks[key]
        name = declared["name"]
        there = self.observed.network(name)
        if is_external(declared):
            if there is None:
                raise NotFound(f"network {name} declared as external, but could not be found")
            return
        if there is None:
            self._add(CreateNetwork(key=f"network {key}", network=key, full_name=name))
            return
        self._refuse_foreign_network(key, there)
        known = there.labels.get(labels.CONFIG_HASH, "")
        if known and known != network_hash(declared):
            self._replace_network(key, there)

    def _refuse_foreign_network(self, key: str, there: Network) -> None:
        owner = there.labels.get(labels.PROJECT)
        hint = "Set `external: true` to use an existing network"
        if owner is None:
            self.warnings.append(
                f"a network with name {there.name} exists but was not created by compose.\n{hint}"
            )
        elif owner != self.project.name:
            self.warnings.append(
                f"a network with name {there.name} exists but was not created for project "
                f'"{self.project.name}".\n{hint}'
            )
        label = there.labels.get(labels.NETWORK, "")
        if label != key:
            raise InvalidArgument(
                f"network {there.name} was found but has incorrect label {labels.NETWORK} "
                f'set to "{label}" (expected: "{key}")'
            )

    def _replace_network(self, key: str, there: Network) -> None:
        attached = [each for each in self.observed.containers if _is_on(each, there.id)]
        ends = []
        for container in attached:
            before = frozenset([self._stop(container)] if container.state == RUNNING else [])
            ends.append(
                self._add(
                    Disconnect(
                        key=f"disconnect {name_of(container)} {key}",
                        after=before,
                        container=name_of(container),
                        network_id=there.id,
                        full_name=there.name,
                    )
                )
            )
        removed = self._add(
            RemoveNetwork(
                key=f"remove network {key}",
                after=frozenset(ends),
                full_name=there.name,
                id=there.id,
            )
        )
        self.replaced_networks[key] = self._add(
            CreateNetwork(
                key=f"network {key}",
                after=frozenset([removed]),
                network=key,
                full_name=there.name,
            )
        )

    # volumes

    def _volume(self, key: str) -> None:
        declared = self.project.volumes[key]
        name = declared["name"]
        there = self.observed.volumes.get(name)
        if there is None:
            if is_external(declared):
                raise NotFound(f'external volume "{name}" not found')
            self._add(CreateVolume(key=f"volume {key}", volume=key, full_name=name))
            return
        if is_external(declared):
            return
        owner = (there.labels or {}).get(labels.PROJECT)
        if owner is None:
            self.warnings.append(
                f'volume "{name}" already exists but was not created by Docker Compose. '
                "Use `external: true` to use an existing volume"
            )
        elif owner != self.project.name:
            self.warnings.append(
                f'volume "{name}" already exists but was created for project "{owner}" '
                f'(expected "{self.project.name}"). '
                "Use `external: true` to use an existing volume"
            )
        known = (there.labels or {}).get(labels.CONFIG_HASH)
        if known is not None and known != volume_hash(declared):
            self._diverged_volume(key, name)

    def _diverged_volume(self, key: str, name: str) -> None:
        if not self.options.replace_volumes:
            self.warnings.append(
                f'Volume "{name}" exists but doesn\'t match configuration in compose file. '
                "It is kept as it is; --yes recreates it, and its data is lost"
            )
            return
        users = [
            each for each in self.observed.containers if any(m.name == name for m in each.mounts)
        ]
        ends = [self._stop_and_remove(each) for each in users]
        removed = self._add(
            RemoveVolume(key=f"remove volume {key}", after=frozenset(ends), full_name=name)
        )
        self.replaced_volumes[key] = self._add(
            CreateVolume(
                key=f"volume {key}", after=frozenset([removed]), volume=key, full_name=name
            )
        )

    # containers that go

    def _stop(self, container: ContainerSummary, after: Iterable[str] = ()) -> str:
        key = f"stop {name_of(container)}"
        if container.id not in self.stopped:
            self.stopped.add(container.id)
            self._add(
                StopContainer(
                    key=key,
                    after=frozenset(after),
                    service=container.labels.get(labels.SERVICE, ""),
                    container=name_of(container),
                    id=container.id,
                    timeout=self.options.timeout,
                )
            )
        return key

    def _stop_and_remove(self, container: ContainerSummary, *, volumes: bool = False) -> str:
        stopped = self._stop(container)
        return self._add(
            RemoveContainer(
                key=f"remove {name_of(container)}",
                after=frozenset([stopped]),
                service=container.labels.get(labels.SERVICE, ""),
                container=name_of(container),
                id=container.id,
                volumes=volumes,
            )
        )

    def _orphans(self) -> None:
        orphans = self.observed.orphans(self.project.all_services)
        if not orphans or self.options.ignore_orphans:
            return
        if self.options.remove_orphans:
            for each in orphans:
                self._stop_and_remove(each)
            return
        names = " ".join(name_of(each) for each in orphans)
        self.warnings.append(
            f"Found orphan containers ([{names}]) for this project. If you removed or renamed "
            "this service in your compose file, you can run this command with the "
            "--remove-orphans flag to clean it up."
        )

    # containers of a service

    def _service(self, service: Service) -> None:
        if service.get("provider"):
            return  # its program has been asked already: what it tells is part of the project
        wanted = service.replicas
        if wanted > 1 and service.get("container_name"):
            raise InvalidArgument(
                f'WARNING: The "{service.name}" service is using the custom container name '
                f'"{service.get("container_name")}". Docker requires each container to have a '
                "unique name. Remove the custom name to scale the service"
            )
        there = self.observed.of_service(service.name)
        gone = self._removed_with_volumes(there)
        there = [each for each in there if each.id not in gone]
        reasons = {each.id: self._reasons(service, each) for each in there}
        # What is up to date stays first, lowest number first; what is obsolete goes first.
        there.sort(key=lambda each: (bool(reasons[each.id]), number_of(each)))
        for container in there[wanted:]:
            self._stop_and_remove(container)
        after = self._before_creation(service)
        self.created[service.name] = []
        self.to_start[service.name] = []
        names: dict[str, str | None] = {}
        for container in there[:wanted]:
            changes = reasons[container.id]
            name = self._recreate(service, container, changes, after) if changes else ""
            names[name or name_of(container)] = None if changes else container.id
            if not changes:
                self._keep(service, container)
        next_number = max((number_of(each) for each in there), default=0) + 1
        for number in range(next_number, next_number + wanted - len(there)):
            names[self._create(service, number, after)] = None
        self.first[service.name] = names[min(names)] if names else None

    def _removed_with_volumes(self, there: list[ContainerSummary]) -> set[str]:
        """Those that went with a volume that is replaced."""
        removed = {each.id for each in self.actions if isinstance(each, RemoveContainer)}
        return {each.id for each in there if each.id in removed}

    def _keep(self, service: Service, container: ContainerSummary) -> None:
        name = name_of(container)
        if container.state == RUNNING and container.id not in self.stopped:
            self.kept.append((service.name, name))
        else:
            self.to_start[service.name].append(name)

    def _create(self, service: Service, number: int, after: frozenset[str]) -> str:
        name = container_name(self.project.name, service, number, self.options.separator)
        key = self._add(
            CreateContainer(
                key=f"create {name}",
                after=after,
                service=service.name,
                container=name,
                number=number,
            )
        )
        self.created[service.name].append(key)
        self.to_start[service.name].append(name)
        return name

    def _recreate(
        self,
        service: Service,
        container: ContainerSummary,
        changes: tuple[Change, ...],
        after: frozenset[str],
    ) -> str:
        number = number_of(container)
        name = container_name(self.project.name, service, number, self.options.separator)
        stops = [
            self._stop(dependent)
            for other, dependency in sorted(self.project.dependents(service.name).items())
            if dependency.restart
            for dependent in self.observed.of_service(other)
            if dependent.state == RUNNING
        ]
        key = self._add(
            RecreateContainer(
                key=f"create {name}",
                after=after | frozenset(stops),
                service=service.name,
                container=name,
                number=number,
                replaced=container.id,
                changes=changes,
                inherit=self.options.inherit,
                was_running=container.state == RUNNING,
                timeout=self.options.timeout,
            )
        )
        self.created[service.name].append(key)
        self.to_start[service.name].append(name)
        return name

    def _before_creation(self, service: Service) -> frozenset[str]:
        """Networks, volumes and other services' containers that must be there."""
        planned = {each.key for each in self.actions}
        keys = [f"network {name}" for name in service.get("networks", {})]
        keys += [
            f"volume {each['source']}"
            for each in service.get("volumes", [])
            if (each["type"] == "volume" and each.get("source"))
        ]
        others = [*shared_services(service), *service.dependencies]
        keys += [key for other in others for key in self.created.get(other, ())]
        return frozenset(key for key in keys if key in planned)

    # why a container is not what its service says

    def _reasons(self, service: Service, container: ContainerSummary) -> tuple[Change, ...]:
        named = not self.options.services or service.name in self.options.services
        policy = self.options.recreate if named else self.options.recreate_dependencies
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
        common = project_labels(self.project, service.name, env_files=self.options.env_files)
        body = container_body(scene, own_labels=common, separator=self.options.separator)
        image = self.observed.images.get(before.config.image if before.config else "")
        found = differences(body, before, image.config if image else None)
        return tuple(found) or (Change(attribute="configuration"),)

    def _image_change(self, service: Service, container: ContainerSummary) -> Iterable[Change]:
        name = service.image_name(self.project.name, self.options.separator)
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
            on = there is not None and _is_on(container, there.id)
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

    # starting

    def _starts(self, order: list[Service]) -> None:
        creations = frozenset(key for keys in self.created.values() for key in keys)
        if creations:
            self._add(Checkpoint(key=CREATED, after=creations))
        started: dict[str, list[str]] = {}
        for service in order:
            started[service.name] = []
            names = self.to_start.get(service.name, [])
            if not names:
                continue
            after = self._before_start(service, started)
            if creations:
                after |= {CREATED}
            stops = {each.key for each in self.actions if isinstance(each, StopContainer)}
            for name in names:
                own = {f"stop {name}"} & stops
                key = StartContainer(
                    key=f"start {name}",
                    after=after | own,
                    service=service.name,
                    container=name,
                )
                started[service.name].append(self._add(key))
        if self.options.wait:
            for service in order:
                if service.replicas and not service.get("provider"):
                    self._await(service.name, _awaited(service, self.project), started)

    def _before_start(self, service: Service, started: Mapping[str, list[str]]) -> frozenset[str]:
        keys: list[str] = []
        for name, dependency in sorted(service.dependencies.items()):
            other = self.project.services.get(name)
            if other is None:
                continue
            keys += started.get(name, [])
            waits = dependency.condition != CONDITION_STARTED
            if waits and other.replicas and not other.get("provider"):
                keys.append(
                    self._await(
                        name,
                        dependency.condition,
                        started,
                        required=dependency.required,
                        for_service=service.name,
                    )
                )
        return frozenset(keys)

    def _await(
        self,
        service: str,
        condition: str,
        started: Mapping[str, list[str]],
        *,
        required: bool = True,
        for_service: str = "",
    ) -> str:
        key = f"await {service} {condition} {'' if required else 'optional'}".strip()
        if all(each.key != key for each in self.actions):
            self._add(
                Await(
                    key=key,
                    after=frozenset(started.get(service, [])),
                    service=service,
                    condition=condition,
                    required=required,
                    for_service=for_service,
                )
            )
        return key


def _awaited(service: Service, project: Project) -> str:
    """What ``--wait`` waits for: to run, to be healthy, or to have ended where that is asked."""
    asked = [each.condition for each in project.dependents(service.name).values()]
    return COMPLETED if COMPLETED in asked else RUNNING_OR_HEALTHY


def _is_on(container: ContainerSummary, network_id: str) -> bool:
    networks = container.network_settings.networks if container.network_settings else {}
    return any(each.network_id == network_id for each in networks.values())


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:12]
