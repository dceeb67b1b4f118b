"""Waits until a service is what others ask of it: running, healthy, or ended well."""

import time
from collections.abc import Sequence
from typing import Final

from knarr.client.calls import containers
from knarr.compose.actions import Await
from knarr.compose.engine import Engines
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerInspect

HEALTHY: Final = "service_healthy"
RUNNING: Final = "Running"  # all that can be told of one without a health check
COMPLETED: Final = "service_completed_successfully"
_STEP_S: Final = 0.1
_SETTLE_S: Final = 0.5  # that one without a health check must last: it may end at once


class OptionalFailed(KnarrError):
    """What is waited for will not be as asked, and who asked can do without."""


def wait_for(
    engines: Engines, action: Await, identifiers: Sequence[str], timeout: float | None
) -> str:
    """The word for how it is now. timeout: seconds.

    Raises KnarrError when it will not be what is asked, OptionalFailed where that is no harm.
    """
    try:
        return _wait(engines, action, identifiers, timeout)
    except KnarrError as error:
        if action.required:
            raise
        raise OptionalFailed(f"optional dependency {error}") from error


def _wait(
    engines: Engines, action: Await, identifiers: Sequence[str], timeout: float | None
) -> str:
    if not identifiers:
        dependent = action.for_service or action.service
        raise KnarrError(f"{dependent} is missing dependency {action.service}")
    deadline = None if timeout is None else time.monotonic() + timeout
    settled = None  # when it will have run long enough
    while True:
        word = _state(engines, action.condition, action.service, identifiers)
        if word == RUNNING:
            settled = settled or time.monotonic() + _SETTLE_S
            word = "Healthy" if time.monotonic() >= settled else ""
        if word:
            return word
        if deadline is not None and time.monotonic() > deadline:
            raise KnarrError(f"application not healthy after {timeout:g}s")
        time.sleep(_STEP_S)


def _state(engines: Engines, condition: str, service: str, identifiers: Sequence[str]) -> str:
    """The word when all is as asked, empty while it is not yet."""
    found = [engines.ask(containers.inspect(each), ContainerInspect) for each in identifiers]
    if condition == COMPLETED:
        return _completed(service, found)
    words = [_health(each, fall_back=condition != HEALTHY) for each in found]
    return next((word for word in ("", RUNNING) if word in words), "Healthy")


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
        return RUNNING if state.status == "running" else ""
    if state.health is None:
        if state.status == "created":
            return ""
        raise KnarrError(f"{_failed(fall_back)}container {name} has no healthcheck configured")
    if state.health.status == "unhealthy":
        said = state.health.log[-1].output.strip() if state.health.log else ""
        raise KnarrError(
            f"{_failed(fall_back)}container {name} is unhealthy"
            + (f"; its last check said: {said}" if said else "")
        )
    return "Healthy" if state.health.status == "healthy" else ""


def _failed(fall_back: bool) -> str:
    return "" if fall_back else "dependency failed to start: "
