"""From what is to what shall be: the actions that bring a project up, computed and not yet done.

The order is that of Compose: images, networks and volumes, then containers in the order of their
dependencies, and only when all are created does the first one start. A service that says how it is
updated is rolled out instead, in the place of its start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from knarr.compose.actions import (
    CREATED,
    AdmitContainer,
    Await,
    Checkpoint,
    CreateContainer,
    Plan,
    RecreateContainer,
    RemoveContainer,
    RenameContainer,
    RestartContainer,
    StartContainer,
    StopContainer,
)
from knarr.compose.changes import Change
from knarr.compose.draft import Draft, UpOptions
from knarr.compose.naming import container_name
from knarr.compose.observed import RUNNING, Observed, name_of, number_of, service_of
from knarr.compose.plan_resources import ResourcePlan
from knarr.compose.project import CONDITION_STARTED, Project, Service
from knarr.compose.reasons import Reasons
from knarr.compose.rolling import fixed_ports, is_joined, roll_out
from knarr.compose.translation import shared_services
from knarr.compose.update_policy import UNNOTICED, UpdatePolicy, update_policy
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import ContainerSummary

COMPLETED: Final = "service_completed_successfully"
RUNNING_OR_HEALTHY: Final = "running_or_healthy"


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
    return _Up(Draft(project, observed, options)).plan()


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
    return msgspec.structs.replace(plan, actions=(*plan.actions, *more))


@dataclass(slots=True)
class _Up:
    draft: Draft
    kept: list[tuple[str, str]] = field(default_factory=list)
    # by service: the first container, None when it is still to be made
    first: dict[str, str | None] = field(default_factory=dict)
    created: dict[str, list[str]] = field(default_factory=dict)  # by service: keys of creations
    to_start: dict[str, list[str]] = field(default_factory=dict)  # by service: container names
    to_roll: dict[str, list[RecreateContainer]] = field(default_factory=dict)  # by service

    @property
    def project(self) -> Project:
        return self.draft.project

    @property
    def options(self) -> UpOptions:
        return self.draft.options

    def plan(self) -> Plan:
        resources = ResourcePlan(self.draft)
        for key in sorted(self.project.networks):
            resources.network(key)
        for key in sorted(self.project.volumes):
            resources.volume(key)
        self._orphans()
        order = in_dependency_order(self.project)
        reasons = Reasons(
            project=self.project,
            observed=self.draft.observed,
            separator=self.options.separator,
            env_files=self.options.env_files,
            first=self.first,
            replaced_networks=resources.replaced_networks,
        )
        for service in order:
            self._service(service, reasons)
        if self.options.start:
            self._starts(order)
        return Plan(
            project=self.project.name,
            actions=tuple(self.draft.actions),
            kept=tuple(self.kept),
            warnings=tuple(self.draft.warnings),
        )

    def _orphans(self) -> None:
        orphans = self.draft.observed.orphans(self.project.all_services)
        if not orphans or self.options.ignore_orphans:
            return
        if self.options.remove_orphans:
            for each in orphans:
                self.draft.stop_and_remove(each)
            return
        names = " ".join(name_of(each) for each in orphans)
        self.draft.warnings.append(
            f"Found orphan containers ([{names}]) for this project. If you removed or renamed "
            "this service in your compose file, you can run this command with the "
            "--remove-orphans flag to clean it up."
        )

    # containers of a service

    def _service(self, service: Service, reasons: Reasons) -> None:
        if service.get("provider"):
            return  # its program has been asked already: what it tells is part of the project
        wanted = service.replicas
        self._check_scale(service, wanted)
        there = self.draft.observed.of_service(service.name)
        gone = self._removed_with_volumes()
        there = [each for each in there if each.id not in gone]
        why = {each.id: reasons.of(service, each, self._recreation(service)) for each in there}
        # What is up to date stays first, lowest number first; what is obsolete goes first.
        there.sort(key=lambda each: (bool(why[each.id]), number_of(each), len(name_of(each))))
        twins = _twins(there)
        there = [each for each in there if each not in twins]
        surplus = {
            name_of(each): self.draft.stop_and_remove(each) for each in (*twins, *there[wanted:])
        }
        after = self._before_creation(service)
        after |= {surplus[name_of(each)] for each in twins}  # their names are needed
        self.created[service.name] = []
        self.to_start[service.name] = []
        self.to_roll[service.name] = []
        policy = self._policy(service)
        names: dict[str, str | None] = {}
        for container in there[:wanted]:
            changes = why[container.id]
            name = self._replace(service, container, changes, after, policy) if changes else ""
            names[name or name_of(container)] = None if changes else container.id
            if not changes:
                self._keep(service, container, surplus)
        next_number = max((number_of(each) for each in there), default=0) + 1
        for number in range(next_number, next_number + wanted - len(there)):
            names[self._create(service, number, after)] = None
        self.first[service.name] = names[min(names)] if names else None

    def _check_scale(self, service: Service, wanted: int) -> None:
        """Raises InvalidArgument for a name that several would have."""
        if wanted < 2:
            return
        if service.get("container_name"):
            raise InvalidArgument(
                f'WARNING: The "{service.name}" service is using the custom container name '
                f'"{service.get("container_name")}". Docker requires each container to have a '
                "unique name. Remove the custom name to scale the service"
            )
        ports = fixed_ports(service)
        if ports and not self.draft.observed.shares_ports:
            self.draft.warnings.append(
                f"services.{service.name}: this engine gives port {ports[0]} to one container "
                f"only, so of {wanted} just one can start; knarr's engine spreads connections "
                "over all of them, and with a range of ports each gets its own"
            )

    def _recreation(self, service: Service) -> str:
        named = not self.options.services or service.name in self.options.services
        return self.options.recreate if named else self.options.recreate_dependencies

    def _policy(self, service: Service) -> UpdatePolicy | None:
        """How the service's containers are replaced a few at a time; None for all at once."""
        if not self.options.roll or is_joined(self.project, service.name):
            return None
        return update_policy(service) or (UNNOTICED if self._is_rolled(service) else None)

    def _is_rolled(self, service: Service) -> bool:
        named = not self.options.services or service.name in self.options.services
        return self.options.roll_all and named

    def _removed_with_volumes(self) -> set[str]:
        """Those that went with a volume that is replaced."""
        return {each.id for each in self.draft.actions if isinstance(each, RemoveContainer)}

    def _keep(
        self, service: Service, container: ContainerSummary, surplus: Mapping[str, str]
    ) -> None:
        name = self._own_name(service, container, surplus)
        if container.state == RUNNING and container.id not in self.draft.stopped:
            self.kept.append((service.name, name))
            if container.id in self.draft.observed.draining:
                self.draft.add(
                    AdmitContainer(
                        key=f"admit {name}",
                        service=service.name,
                        container=name,
                        id=container.id,
                    )
                )
        else:
            self.to_start[service.name].append(name_of(container))

    def _own_name(
        self, service: Service, container: ContainerSummary, surplus: Mapping[str, str]
    ) -> str:
        """The name that it should have: a rollout that was cut short left it with another."""
        name = name_of(container)
        number = number_of(container)
        wanted = container_name(self.project.name, service, number, self.options.separator)
        if name == wanted or not name.endswith(f"_{wanted}") or container.state != RUNNING:
            return name
        others = {name_of(each) for each in self.draft.observed.containers} - set(surplus)
        if wanted in others:
            return name
        self.draft.add(
            RenameContainer(
                key=f"rename {name}",
                after=frozenset(surplus.values()),
                service=service.name,
                container=wanted,
                id=container.id,
            )
        )
        return wanted

    def _create(self, service: Service, number: int, after: frozenset[str]) -> str:
        name = container_name(self.project.name, service, number, self.options.separator)
        key = self.draft.add(
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

    def _replace(
        self,
        service: Service,
        container: ContainerSummary,
        changes: tuple[Change, ...],
        after: frozenset[str],
        policy: UpdatePolicy | None,
    ) -> str:
        """The name of the new one."""
        number = number_of(container)
        name = container_name(self.project.name, service, number, self.options.separator)
        running = container.state == RUNNING and container.id not in self.draft.stopped
        action = RecreateContainer(
            key=f"create {name}",
            after=after,
            service=service.name,
            container=name,
            number=number,
            replaced=container.id,
            changes=changes,
            inherit=self.options.inherit,
            was_running=container.state == RUNNING,
            timeout=self.options.timeout,
        )
        if policy is not None and running:
            self.to_roll[service.name].append(action)
            return name
        stops = frozenset(self.draft.stop(each) for each in self._restarted_with(service))
        self.created[service.name].append(
            self.draft.add(msgspec.structs.replace(action, after=after | stops))
        )
        self.to_start[service.name].append(name)
        return name

    def _restarted_with(self, service: Service) -> list[ContainerSummary]:
        """Running containers of those who ask to be restarted when the service is replaced."""
        return [
            dependent
            for other, dependency in sorted(self.project.dependents(service.name).items())
            if dependency.restart
            for dependent in self.draft.observed.of_service(other)
            if dependent.state == RUNNING
        ]

    def _before_creation(self, service: Service) -> frozenset[str]:
        """Networks, volumes and other services' containers that must be there."""
        planned = {each.key for each in self.draft.actions}
        keys = [f"network {name}" for name in service.get("networks", {})]
        keys += [
            f"volume {each['source']}"
            for each in service.get("volumes", [])
            if (each["type"] == "volume" and each.get("source"))
        ]
        others = [*shared_services(service), *service.dependencies]
        keys += [key for other in others for key in self.created.get(other, ())]
        return frozenset(key for key in keys if key in planned)

    # starting

    def _starts(self, order: list[Service]) -> None:
        creations = frozenset(key for keys in self.created.values() for key in keys)
        if creations:
            self.draft.add(Checkpoint(key=CREATED, after=creations))
        started: dict[str, list[str]] = {}
        for service in order:
            started[service.name] = []
            names, steps = self.to_start.get(service.name, []), self.to_roll.get(service.name, [])
            if not names and not steps:
                continue
            after = self._before_start(service, started)
            if creations:
                after |= {CREATED}
            if steps:
                started[service.name] += self._roll(service, steps, after)
                after |= frozenset(started[service.name])
            started[service.name] += self._start(service, names, after)
        if self.options.wait:
            for service in order:
                if service.replicas and not service.get("provider"):
                    self._await(service.name, _awaited(service, self.project), started)

    def _start(self, service: Service, names: list[str], after: frozenset[str]) -> list[str]:
        stops = {each.key for each in self.draft.actions if isinstance(each, StopContainer)}
        return [
            self.draft.add(
                StartContainer(
                    key=f"start {name}",
                    after=after | ({f"stop {name}"} & stops),
                    service=service.name,
                    container=name,
                )
            )
            for name in names
        ]

    def _roll(
        self, service: Service, steps: list[RecreateContainer], after: frozenset[str]
    ) -> list[str]:
        policy = self._policy(service) or UNNOTICED
        action = roll_out(service, steps, policy, self.draft.observed, self.draft.warnings)
        before = after.union(*(each.after for each in steps))
        key = self.draft.add(msgspec.structs.replace(action, after=before))
        restarts = [
            self.draft.add(
                RestartContainer(
                    key=f"restart {name_of(each)} after {service.name}",
                    after=frozenset([key]),
                    service=service_of(each),
                    container=name_of(each),
                    id=each.id,
                    timeout=self.options.timeout,
                )
            )
            for each in self._restarted_with(service)
            if each.id not in self.draft.stopped
        ]
        return [key, *restarts]

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
        if all(each.key != key for each in self.draft.actions):
            self.draft.add(
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


def _twins(there: Sequence[ContainerSummary]) -> list[ContainerSummary]:
    """Those of a number that another has before them: a rollout was cut short between the two."""
    seen: set[int] = set()
    twins = []
    for each in there:
        number = number_of(each)
        if number and number in seen:
            twins.append(each)
        seen.add(number)
    return twins


def _awaited(service: Service, project: Project) -> str:
    """What ``--wait`` waits for: to run, to be healthy, or to have ended where that is asked."""
    asked = [each.condition for each in project.dependents(service.name).values()]
    return COMPLETED if COMPLETED in asked else RUNNING_OR_HEALTHY
