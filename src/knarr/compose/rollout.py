"""Carries a rollout out: new containers in the place of old ones, and back when they are not well.

A new container is made beside the old one, under a name for the time being. Only when it is well
does the old one lose its turn, end what it has begun, and go. One that is not well goes itself, and
the old one is as it was: at no time are there fewer that answer than ``order`` and ``parallelism``
say.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from knarr.client.calls import containers, images, ports
from knarr.compose import labels, revision
from knarr.compose.container_actions import RecreateContainer, RollOut, StartContainer
from knarr.compose.draft import grace_seconds
from knarr.compose.making import Maker
from knarr.compose.project import Service
from knarr.compose.report import Progress, State
from knarr.compose.update_policy import (
    CONTINUE,
    ROLLBACK,
    START_FIRST,
    UpdatePolicy,
)
from knarr.compose.wellness import Wellness
from knarr.errors import KnarrError, NotFound
from knarr.spec.docker.container import ContainerCreate, ContainerInspect
from knarr.spec.docker.image import ImageInspect
from knarr.spec.docker.shared_ports import Drained

Hooks = Callable[[str, str, Service, str], None]
"""Runs the hooks of an attribute: a container's identifier and name, its service, which hooks."""


@dataclass(frozen=True, slots=True)
class _Replaced:
    """A step that went well. before: what creates the old container again."""

    step: RecreateContainer
    identifier: str
    before: ContainerCreate


_Source = Callable[[ContainerInspect], ContainerCreate | None]
"""From the old container to the request for the new one; None: as the file says."""


class RolledBack(KnarrError):
    """The new containers were not well; all is as it was before."""


class Roller:
    """One rollout at a time of a service; several services may be rolled out at once."""

    def __init__(self, maker: Maker, hooks: Hooks) -> None:
        self._maker = maker
        self._engines = maker.engines
        self._means = maker.means
        self._hooks = hooks
        self._wellness = Wellness(maker.engines, maker.observed.shares_ports)

    def roll(self, action: RollOut) -> str:
        """The word for how it ended. Raises KnarrError when not all were replaced."""
        service = self._maker.project.all_services[action.service]
        done, failures = self._replace_all(service, action)
        if not failures:
            return "Rolled back" if action.to_before else "Rolled out"
        reason = str(failures[0]).rstrip()
        number, total = len(failures), len(action.steps)
        what = "rollback" if action.to_before else "rollout"
        if action.policy.failure_action == CONTINUE:
            raise KnarrError(
                f"{what} of {service.name}: {number} of {total} containers were not replaced, the "
                f"old ones go on: {reason}"
            )
        if action.policy.failure_action == ROLLBACK and not action.to_before:
            self._back(service, action, done)
            raise RolledBack(
                f"{what} of {service.name} failed and was rolled back, all is as it was before: "
                f"{reason}"
            )
        raise KnarrError(
            f"{what} of {service.name} is paused, {len(done)} of {total} containers are replaced "
            f"and the others go on as they are: {reason}"
        )

    def _replace_all(
        self, service: Service, action: RollOut
    ) -> tuple[list[_Replaced], list[Exception]]:
        """What was replaced and what was not, until all are or too many failed."""
        policy = action.policy
        source: _Source = self._as_before if action.to_before else _as_the_file_says
        done: list[_Replaced] = []
        failures: list[Exception] = []
        for batch in _batches(action.steps, policy):
            if done and policy.delay_s:
                time.sleep(policy.delay_s)
            for result in _at_once(
                batch, lambda step: self._replace(service, step, policy, source)
            ):
                if isinstance(result, Exception):
                    failures.append(result)
                else:
                    done.append(result)
            too_many = len(failures) / len(action.steps) > policy.max_failure_ratio
            if failures and too_many and policy.failure_action != CONTINUE:
                break
        return done, failures

    def _back(self, service: Service, action: RollOut, done: Sequence[_Replaced]) -> None:
        """Those that were replaced already, by what they were before."""
        before = {each.identifier: each.before for each in done}
        steps = [
            RecreateContainer(
                key=each.step.key,
                service=service.name,
                container=each.step.container,
                number=each.step.number,
                replaced=each.identifier,
                timeout=each.step.timeout,
            )
            for each in done
        ]

        def source(old: ContainerInspect) -> ContainerCreate:
            return self._of_image_before(before[old.id], old)

        for batch in _batches(steps, action.back):
            for result in _at_once(
                batch, lambda step: self._replace(service, step, action.back, source)
            ):
                if isinstance(result, Exception):
                    raise KnarrError(
                        f"rollout of {service.name} failed, and so did the way back: {result}"
                    ) from result
            if action.back.delay_s:
                time.sleep(action.back.delay_s)

    # what is made

    def _as_before(self, old: ContainerInspect) -> ContainerCreate:
        own = old.config.labels if old.config else {}
        return self._of_image_before(revision.from_label(own[revision.BEFORE]), old)

    def _of_image_before(self, request: ContainerCreate, old: ContainerInspect) -> ContainerCreate:
        """The image by its name where that still means it, else by its identifier."""
        wanted = revision.image_id(request)
        named = self._engines.ask_for(images.inspect(request.image), ImageInspect)
        if wanted and (named is None or named.id != wanted):
            if self._engines.ask_for(images.inspect(wanted), ImageInspect) is None:
                raise NotFound(
                    f"the image that {old.name.removeprefix('/')} ran before is gone: "
                    f"{request.image} ({wanted.removeprefix('sha256:')[:12]})"
                )
            return msgspec.structs.replace(request, image=wanted)
        return request

    # one container

    def _replace(
        self,
        service: Service,
        step: RecreateContainer,
        policy: UpdatePolicy,
        source: _Source,
    ) -> _Replaced:
        old = self._engines.ask(containers.inspect(step.replaced), ContainerInspect)
        before = revision.request_for(old)
        self._tell(step, "Creating new")
        new = self._made(service, step, before, source(old))
        try:
            if policy.order != START_FIRST:
                self._stop(service, step)
            self._start(service, step, new)
            self._tell(step, "Waiting for new")
            self._wellness.wait(new, policy.monitor_s, self._means.wait_timeout)
            if policy.order == START_FIRST:
                self._stop(service, step)
        except BaseException as error:
            self._undo(step, new)
            if isinstance(error, KnarrError):
                raise type(error)(f"new container {step.container}: {error}") from error
            raise
        self._engines.do(containers.remove(step.replaced))
        self._engines.do(containers.rename(new, step.container))
        self._maker.roster.remove(service.name, old.name.removeprefix("/"))
        self._maker.roster.add(service.name, step.container, new)
        self._tell(step, "Replaced", State.DONE)
        return _Replaced(step, new, before)

    def _undo(self, step: RecreateContainer, new: str) -> None:
        """The new one goes; the old one runs and answers, however far its end had come."""
        with suppress(NotFound):
            self._engines.do(containers.remove(new, force=True))
        self._engines.do(containers.start(step.replaced))
        if self._maker.observed.shares_ports:
            self._engines.do(ports.admit(step.replaced))
        self._tell(step, "Not replaced", State.ERROR)

    def _made(
        self,
        service: Service,
        step: RecreateContainer,
        before: ContainerCreate,
        request: ContainerCreate | None,
    ) -> str:
        called = f"{step.replaced[:12]}_{step.container}"
        own = {
            labels.REPLACE: self._means.separator.join((service.name, str(step.number))),
            revision.BEFORE: revision.to_label(before),
        }
        if request is None:
            summary = next(
                (each for each in self._maker.observed.containers if each.id == step.replaced), None
            )
            inherited = self._maker.inherited(service, summary) if step.inherit and summary else {}
            new = self._maker.make(
                service,
                step.number,
                step.container,
                called=called,
                more_labels=own,
                inherited=inherited,
            )
        else:
            new = self._maker.make_again(service, request, called, own)
        self._maker.inject(service, new)
        return new

    def _start(self, service: Service, step: RecreateContainer, new: str) -> None:
        self._engines.do(containers.start(new))
        started = StartContainer(
            key=f"start {step.container}", service=service.name, container=step.container
        )
        self._means.started(started, new)
        self._hooks(new, step.container, service, "post_start")

    def _stop(self, service: Service, step: RecreateContainer) -> None:
        """Others get what is new; it ends what it has begun, then itself."""
        if self._maker.observed.shares_ports:
            self._tell(step, "Draining")
            with suppress(KnarrError):  # one that has ended has nothing to drain
                self._engines.ask(
                    ports.drain(step.replaced, timeout=grace_seconds(service)), Drained
                )
        self._tell(step, "Stopping old")
        self._hooks(step.replaced, step.container, service, "pre_stop")
        self._engines.do(containers.stop(step.replaced, timeout=step.timeout))

    def _tell(self, step: RecreateContainer, text: str, state: State = State.WORKING) -> None:
        self._means.report(Progress(subject=f"Container {step.container}", text=text, state=state))


def _as_the_file_says(old: ContainerInspect) -> None:
    """The service is what counts."""


def _batches(
    steps: Sequence[RecreateContainer], policy: UpdatePolicy
) -> Iterable[Sequence[RecreateContainer]]:
    size = policy.at_once(len(steps)) or 1
    return [steps[start : start + size] for start in range(0, len(steps), size)]


def _at_once(
    batch: Sequence[RecreateContainer], act: Callable[[RecreateContainer], _Replaced]
) -> list[_Replaced | Exception]:
    """What each came to. Threads, since they wait for the engine most of the time."""

    def outcome(step: RecreateContainer) -> _Replaced | Exception:
        try:
            return act(step)
        except Exception as error:
            return error

    if len(batch) == 1:
        return [outcome(batch[0])]
    with ThreadPoolExecutor(len(batch)) as pool:
        return list(pool.map(outcome, batch))
