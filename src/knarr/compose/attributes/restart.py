"""When the engine starts the container again: no, always, on-failure[:N], unless-stopped."""

from typing import Final

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Text
from knarr.spec.docker.container import RestartPolicy

_NAMES: Final = {"none": "no", "no": "no", "any": "always"}


def policy(condition: str, attempts: int = 0) -> RestartPolicy:
    """The engine's policy; ``none`` and ``any`` are the words that ``deploy`` has."""
    return RestartPolicy(name=_NAMES.get(condition, condition), maximum_retry_count=attempts)


def read_policy(restart: str) -> RestartPolicy:
    condition, _, attempts = restart.partition(":")
    return policy(condition, int(attempts) if attempts.isdecimal() else 0)


RESTART = Attribute(
    name="restart",
    shape=Text(),
    apply=to_host("restart_policy", read_policy),
    source="Compose Specification, services, restart",
)
