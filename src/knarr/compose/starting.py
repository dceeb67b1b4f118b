"""What starts, is rolled out and is waited for, once everything is created."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from knarr.compose.actions import CREATED, Await, Checkpoint
from knarr.compose.container_actions import (
    RecreateContainer,
    RestartContainer,
    StartContainer,
    StopContainer,
)
from knarr.compose.draft import Draft
from knarr.compose.observed import RUNNING, name_of, service_of
from knarr.compose.project import CONDITION_STARTED, Project, Service
from knarr.compose.rolling import roll_out
from knarr.compose.update_policy import UpdatePolicy
from knarr.spec.docker.container import ContainerSummary

COMPLETED: Final = "service_completed_successfully"
RUNNING_OR_HEALTHY: Final = "running_or_healthy"


@dataclass(slots=True)
class Starts:
    """By service: the keys of its creations, the names to start, the steps to roll out and how."""

    draft: Draft
    created: dict[str, list[str]] = field(default_factory=dict)
    to_start: dict[str, list[str]] = field(default_factory=dict)
    to_roll: dict[str, list[RecreateContainer]] = field(default_factory=dict)
    policies: dict[str, UpdatePolicy] = field(default_factory=dict)

    def add(self, order: Sequence[Service]) -> None:
        """Starts, rollouts and waits of the services, in their order."""
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
        if self.draft.options.wait:
            for service in order:
                if service.replicas and not service.get("provider"):
                    self._await(service.name, _awaited(service, self.draft.project), started)

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
        action = roll_out(
            service, steps, self.policies[service.name], self.draft.observed, self.draft.warnings
        )
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
                    timeout=self.draft.options.timeout,
                )
            )
            for each in restarted_with(service, self.draft)
            if each.id not in self.draft.stopped
        ]
        return [key, *restarts]

    def _before_start(self, service: Service, started: Mapping[str, list[str]]) -> frozenset[str]:
        keys: list[str] = []
        for name, dependency in sorted(service.dependencies.items()):
            other = self.draft.project.services.get(name)
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


def restarted_with(service: Service, draft: Draft) -> list[ContainerSummary]:
    """Running containers of those who ask to be restarted when the service is replaced."""
    return [
        dependent
        for other, dependency in sorted(draft.project.dependents(service.name).items())
        if dependency.restart
        for dependent in draft.observed.of_service(other)
        if dependent.state == RUNNING
    ]


def _awaited(service: Service, project: Project) -> str:
    """What ``--wait`` waits for: to run, to be healthy, or to have ended where that is asked."""
    asked = [each.condition for each in project.dependents(service.name).values()]
    return COMPLETED if COMPLETED in asked else RUNNING_OR_HEALTHY
