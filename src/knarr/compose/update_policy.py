"""How the containers of a service are replaced: ``deploy.update_config`` and ``rollback_config``.

Source: Compose Deploy Specification, update_config, rollback_config.
"""

from collections.abc import Mapping
from typing import Any, Final

from knarr.compose.project import Service
from knarr.compose.value import Value
from knarr.errors import InvalidArgument
from knarr.units import duration_ns

START_FIRST: Final = "start-first"
STOP_FIRST: Final = "stop-first"
CONTINUE: Final = "continue"
PAUSE: Final = "pause"
ROLLBACK: Final = "rollback"


class UpdatePolicy(Value):
    """parallelism: how many at a time; 0 for all.  delay_s: between those.  monitor_s: how long a
    new one must be well.  max_failure_ratio: what part may fail before ``failure_action``.
    """

    order: str = STOP_FIRST
    parallelism: int = 1
    delay_s: float = 0.0
    monitor_s: float = 0.0
    failure_action: str = PAUSE
    max_failure_ratio: float = 0.0

    def at_once(self, number: int) -> int:
        """How many of ``number`` containers are replaced at the same time."""
        return min(self.parallelism or number, number)


# Of ``rollout`` and ``rollback`` where the file says nothing: nobody is to notice.
UNNOTICED: Final = UpdatePolicy(order=START_FIRST, failure_action=ROLLBACK)


def update_policy(service: Service) -> UpdatePolicy | None:
    """None where the file says nothing. Raises InvalidArgument, naming the attribute."""
    return _policy(service, "update_config", (CONTINUE, PAUSE, ROLLBACK))


def rollback_policy(service: Service) -> UpdatePolicy | None:
    """The same for the way back; what fails there cannot be rolled back again."""
    return _policy(service, "rollback_config", (CONTINUE, PAUSE))


def _policy(service: Service, attribute: str, actions: tuple[str, ...]) -> UpdatePolicy | None:
    declared: Mapping[str, Any] | None = service.get("deploy", {}).get(attribute)
    if declared is None:
        return None
    action = declared.get("failure_action", PAUSE)
    if action not in actions:
        raise InvalidArgument(
            f"services.{service.name}.deploy.{attribute}.failure_action: {action!r} is none of "
            f"{', '.join(actions)}"
        )
    return UpdatePolicy(
        order=declared.get("order", STOP_FIRST),
        parallelism=int(declared.get("parallelism", 1)),
        delay_s=duration_ns(declared.get("delay", "0")) / 1e9,
        monitor_s=duration_ns(declared.get("monitor", "0")) / 1e9,
        failure_action=action,
        max_failure_ratio=float(declared.get("max_failure_ratio", 0)),
    )
