"""Carries a plan out through the engine's API: the one place of the room that changes anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from knarr.client.calls import containers, images, networks, ports, volumes
from knarr.compose import labels, schedule
from knarr.compose.actions import (
    Action,
    Await,
    BuildImage,
    Checkpoint,
    CreateNetwork,
    CreateVolume,
    Disconnect,
    Plan,
    PullImage,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RunProvider,
)
from knarr.compose.container_actions import (
    AdmitContainer,
    CreateContainer,
    KillContainer,
    PauseContainer,
    RecreateContainer,
    RemoveContainer,
    RenameContainer,
    RestartContainer,
    RollOut,
    StartContainer,
    StopContainer,
    UnpauseContainer,
)
from knarr.compose.engine import Engines
from knarr.compose.hooks import run_hook
from knarr.compose.means import Means
from knarr.compose.observed import Observed, name_of
from knarr.compose.project import Project, Service
from knarr.compose.report import Progress, State
from knarr.compose.roster import Roster
from knarr.compose.waiting import OptionalFailed, wait_for
from knarr.errors import Conflict, KnarrError, NotFound
from knarr.spec.docker.container import ContainerSummary
from knarr.spec.docker.image import ImageInspect
from knarr.spec.docker.shared_ports import Drained

if TYPE_CHECKING:
    from knarr.compose.making import Maker


def apply(plan: Plan, project: Project, observed: Observed, engines: Engines, means: Means) -> None:
    """Do what the plan says. Raises what the first failing action raised, by meaning."""
    failure = schedule.run(
        plan.actions, _Applier(project, observed, engines, means).act, at_once=means.at_once
    )
    if failure is not None:
        raise failure


class _Applier:
    def __init__(
        self, project: Project, observed: Observed, engines: Engines, means: Means
    ) -> None:
        self._project = project
        self._observed = observed
        self._engines = engines
        self._means = means
        self._roster = Roster(observed.containers)
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
            RollOut: self._roll_out,
            RenameContainer: self._rename,
            AdmitContainer: self._admit,
            StartContainer: self._start,
            StopContainer: self._stop,
            RestartContainer: self._restart,
            KillContainer: self._kill,
            PauseContainer: self._pause,
            UnpauseContainer: self._unpause,
            RemoveContainer: self._remove,
            Await: self._await,
        }

    @cached_property
    def _maker(self) -> Maker:
        """Only a plan that makes containers has to know how: its import takes its time."""
        from knarr.compose.making import Maker

        return Maker(self._project, self._observed, self._engines, self._means, self._roster)

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
            return [f"Container {name}" for name in self._roster.of_service(action.service)]
        return [action.subject]

    # networks, volumes, images

    def _create_network(self, action: CreateNetwork) -> None:
        from knarr.compose.translation import network_body

        self._engines.do(networks.create(network_body(self._project, action.network)))

    def _remove_network(self, action: RemoveNetwork) -> str | None:
        return self._remove_unless_used(networks.remove(action.id))

    def _disconnect(self, action: Disconnect) -> None:
        request = networks.disconnect(action.network_id, action.container, force=True)
        self._engines.do(request)

    def _create_volume(self, action: CreateVolume) -> None:
        from knarr.compose.translation import volume_body

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

    def _create(self, action: CreateContainer) -> None:
        service = self._service(action.service)
        identifier = self._maker.make(service, action.number, action.container)
        self._roster.add(service.name, action.container, identifier)

    def _recreate(self, action: RecreateContainer) -> None:
        """Beside the old one first, under another name; the old one is gone before it starts."""
        service = self._service(action.service)
        before = self._summary(action.replaced)
        inherited = self._maker.inherited(service, before) if action.inherit and before else {}
        replaced = service.get("container_name") or self._means.separator.join(
            (service.name, str(action.number))
        )
        identifier = self._maker.make(
            service,
            action.number,
            action.container,
            called=f"{action.replaced[:12]}_{action.container}",
            more_labels={labels.REPLACE: replaced},
            inherited=inherited,
        )
        self._engines.do(containers.stop(action.replaced, timeout=action.timeout))
        self._engines.do(containers.remove(action.replaced))
        self._engines.do(containers.rename(identifier, action.container))
        if before is not None:
            self._roster.remove(service.name, name_of(before))
        self._roster.add(service.name, action.container, identifier)

    def _summary(self, identifier: str) -> ContainerSummary | None:
        return next((each for each in self._observed.containers if each.id == identifier), None)

    def _roll_out(self, action: RollOut) -> str:
        from knarr.compose.rollout import Roller

        return Roller(self._maker, self._hooks).roll(action)

    def _admit(self, action: AdmitContainer) -> None:
        self._engines.do(ports.admit(action.id))

    def _rename(self, action: RenameContainer) -> None:
        self._engines.do(containers.rename(action.id, action.container))

    def _start(self, action: StartContainer) -> None:
        service = self._service(action.service)
        identifier = self._roster.id_of(action.container)
        self._maker.inject(service, identifier)
        self._engines.do(containers.start(identifier))
        self._means.started(action, identifier)
        self._hooks(identifier, action.container, service, "post_start")

    def _hooks(self, identifier: str, name: str, service: Service | None, which: str) -> None:
        for hook in service.get(which, []) if service else ():
            run_hook(self._engines, identifier, hook, lambda data: self._means.output(name, data))

    def _stop(self, action: StopContainer) -> None:
        service = self._project.all_services.get(action.service)
        try:
            if action.drain_s:
                with suppress(Conflict):  # one that has ended has nothing to drain
                    self._engines.ask(ports.drain(action.id, timeout=action.drain_s), Drained)
            self._hooks(action.id, action.container, service, "pre_stop")
            self._engines.do(containers.stop(action.id, timeout=action.timeout))
        except NotFound:
            return

    def _restart(self, action: RestartContainer) -> None:
        self._engines.do(containers.restart(action.id, timeout=action.timeout))
        service = self._project.all_services.get(action.service)
        self._hooks(action.id, action.container, service, "post_start")

    def _kill(self, action: KillContainer) -> None:
        self._engines.do(containers.kill(action.id, signal=action.signal))

    def _pause(self, action: PauseContainer) -> None:
        self._engines.do(containers.pause(action.id))

    def _unpause(self, action: UnpauseContainer) -> None:
        self._engines.do(containers.unpause(action.id))

    def _remove(self, action: RemoveContainer) -> None:
        with suppress(NotFound):
            self._engines.do(containers.remove(action.id, force=True, volumes=action.volumes))
        self._roster.remove(action.service, action.container)

    def _await(self, action: Await) -> str:
        identifiers = [self._roster.id_of(name) for name in self._roster.of_service(action.service)]
        try:
            return wait_for(self._engines, action, identifiers, self._means.wait_timeout)
        except OptionalFailed as error:
            self._tell(action, str(error), State.WARNING)
            return "Skipped"
