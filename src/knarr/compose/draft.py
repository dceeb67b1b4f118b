"""A plan that is being made: its actions so far, and what they stop."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from knarr.compose.actions import Action
from knarr.compose.attributes.stop_grace_period import seconds
from knarr.compose.container_actions import RemoveContainer, StopContainer
from knarr.compose.observed import Observed, name_of, service_of
from knarr.compose.project import Project, Service
from knarr.compose.reasons import DIVERGED
from knarr.spec.docker.container import ContainerSummary

_GRACE_S = 10  # the engine's own, where a service says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What ``up`` and ``create`` are asked for.

    services: those that were named; the others are there as their dependencies.
    recreate, recreate_dependencies: force, diverged or never.
    roll: replace as ``deploy.update_config`` says, where it says something.  roll_all: a few at a
    time where it does not, too.
    """

    services: tuple[str, ...] = ()
    recreate: str = DIVERGED
    recreate_dependencies: str = DIVERGED
    inherit: bool = True  # anonymous volumes of the container before
    start: bool = True
    wait: bool = False
    roll: bool = False
    roll_all: bool = False
    remove_orphans: bool = False
    ignore_orphans: bool = False
    replace_volumes: bool = False
    timeout: int | None = None
    separator: str = "-"
    env_files: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """Nothing of it is done yet."""

    project: Project
    observed: Observed
    options: UpOptions
    actions: list[Action] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)  # identifiers that the plan itself stops

    def add(self, action: Action) -> str:
        """Its key."""
        self.actions.append(action)
        return action.key

    def stop(self, container: ContainerSummary, after: Iterable[str] = ()) -> str:
        key = f"stop {name_of(container)}"
        if container.id not in self.stopped:
            self.stopped.add(container.id)
            self.add(
                StopContainer(
                    key=key,
                    after=frozenset(after),
                    service=service_of(container),
                    container=name_of(container),
                    id=container.id,
                    timeout=self.options.timeout,
                    drain_s=self._drain_s(container),
                )
            )
        return key

    def _drain_s(self, container: ContainerSummary) -> int:
        """Others of its service may answer in its place."""
        service = self.project.all_services.get(service_of(container))
        if service is None or not self.observed.shares_ports:
            return 0
        return grace_seconds(service)

    def stop_and_remove(self, container: ContainerSummary, *, volumes: bool = False) -> str:
        stopped = self.stop(container)
        return self.add(
            RemoveContainer(
                key=f"remove {name_of(container)}",
                after=frozenset([stopped]),
                service=service_of(container),
                container=name_of(container),
                id=container.id,
                volumes=volumes,
            )
        )


def grace_seconds(service: Service) -> int:
    """How long a container of the service may take to end."""
    given = service.get("stop_grace_period")
    return seconds(given) if given else _GRACE_S
