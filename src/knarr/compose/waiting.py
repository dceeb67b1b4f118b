"""Waits until a service is what others ask of it: running, healthy, or ended well."""

import time
from collections.abc import Sequence
from typing import Final, Protocol

from knarr.client.calls import containers
from knarr.compose.actions import Await
from knarr.compose.engine import Engines
from knarr.compose.report import Progress, Report, State
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerInspect

HEALTHY: Final = "service_healthy"
COMPLETED: Final = "service_completed_successfully"
_STEP_S: Final = 0.1


class Waiter(Protocol):
    """What waiting needs to know."""

    @property
    def report(self) -> Report: ...

    @property
    def wait_timeout(self) -> float | None: ...


def wait_for(engines: Engines, action: Await, identifiers: Sequence[str], waiter: Waiter) -> str:
    """The word for how it is now. Raises KnarrError when it will not be what is asked.

    An optional dependency that fails is warned about instead.
    """
    if not identifiers:
        complaint = f"{action.for_service or action.service} is missing dependency {action.service}"
        if action.required:
            raise KnarrError(complaint)
        return _skipped(action, waiter, complaint)
    limit = waiter.wait_timeout
    deadline = None if limit is None else time.monotonic() + limit
    while True:
        try:
            word = _state(engines, action.condition, action.service, identifiers)
        except KnarrError as error:
            if action.required:
                raise
            return _skipped(action, waiter, f"optional dependency {error}")
        if word:
            return word
        if deadline is not None and time.monotonic() > deadline:
            raise KnarrError("timeout waiting for dependencies")
        time.sleep(_STEP_S)


def _skipped(action: Await, waiter: Waiter, complaint: str) -> str:
    waiter.report(Progress(subject=action.subject, text=complaint, state=State.WARNING))
    return "Skipped"


def _state(engines: Engines, condition: str, service: str, identifiers: Sequence[str]) -> str:
    """The word when all is as asked, empty while it is not yet."""
    found = [engines.ask(containers.inspect(each), ContainerInspect) for each in identifiers]
    if condition == COMPLETED:
        return _completed(service, found)
    words = [_health(each, fall_back=condition != HEALTHY) for each in found]
    return "" if "" in words else "Healthy"


def _completed(service: str, found: Sequence[ContainerInspect]) -> str:
    for container in found:
        state = container.state
        if state is not None and state.status == "exited":
            if state.exit_code:
                raise KnarrError(
                    f'service "{service}" didn\'t complete successfully: exit {state.exit_code}'
                )
            return "Exited"
    return ""


def _health(container: ContainerInspect, *, fall_back: bool) -> str:
    name, state = container.name.removeprefix("/"), container.state
    if state is None:
        return ""
    if state.status == "exited":
        raise KnarrError(f"{_failed(fall_back)}container {name} exited ({state.exit_code})")
    has_check = container.config is not None and container.config.healthcheck is not None
    if fall_back and not has_check:
        return "Running" if state.status == "running" else ""
    if state.health is None:
        if state.status == "created":
            return ""
        raise KnarrError(f"{_failed(fall_back)}container {name} has no healthcheck configured")
    if state.health.status == "unhealthy":
        raise KnarrError(f"{_failed(fall_back)}container {name} is unhealthy")
    return "Healthy" if state.health.status == "healthy" else ""


def _failed(fall_back: bool) -> str:
    return "" if fall_back else "dependency failed to start: "
