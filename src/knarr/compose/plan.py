"""From what is to what shall be: the actions that bring a project up, computed and not yet done.

The order is that of Compose: images, networks and volumes, then containers in the order of their
dependencies, and only when all are created does the first one start. A service that says how it is
updated is rolled out instead, in the place of its start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from knarr.compose.actions import Plan
from knarr.compose.changes import Change
from knarr.compose.container_actions import (
    AdmitContainer,
    CreateContainer,
    RecreateContainer,
    RemoveContainer,
    RenameContainer,
)
from knarr.compose.draft import Draft, UpOptions
from knarr.compose.naming import container_name
from knarr.compose.observed import RUNNING, Observed, name_of, number_of
from knarr.compose.ordering import in_dependency_order
from knarr.compose.plan_resources import ResourcePlan
from knarr.compose.project import Project, Service
from knarr.compose.reasons import Reasons
from knarr.compose.rolling import fixed_ports, is_joined
from knarr.compose.starting import Starts, restarted_with
from knarr.compose.translation import shared_services
from knarr.compose.update_policy import UNNOTICED, UpdatePolicy, update_policy
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import ContainerSummary


def plan_up(project: Project, observed: Observed, options: UpOptions) -> Plan:
    """What creates, replaces and starts. Images are there already, or are not known here.

    Raises NotFound for what is external and missing, InvalidArgument for what cannot be scaled.
    """
    draft = Draft(project, observed, options)
    return _Up(draft, Starts(draft)).plan()


@dataclass(slots=True)
class _Up:
    draft: Draft
    starts: Starts
    kept: list[tuple[str, str]] = field(default_factory=list)
    # by service: the first container, None when it is still to be made
    first: dict[str, str | None] = field(default_factory=dict)

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
            self.starts.add(order)
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
        self.starts.created[service.name] = []
        self.starts.to_start[service.name] = []
        self.starts.to_roll[service.name] = []
        policy = self._policy(service)
        if policy is not None:
            self.starts.policies[service.name] = policy
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
            self.starts.to_start[service.name].append(name_of(container))

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
        self.starts.created[service.name].append(key)
        self.starts.to_start[service.name].append(name)
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
            self.starts.to_roll[service.name].append(action)
            return name
        stops = frozenset(self.draft.stop(each) for each in restarted_with(service, self.draft))
        self.starts.created[service.name].append(
            self.draft.add(msgspec.structs.replace(action, after=after | stops))
        )
        self.starts.to_start[service.name].append(name)
        return name

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
        keys += [key for other in others for key in self.starts.created.get(other, ())]
        return frozenset(key for key in keys if key in planned)


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
