"""How long the container may take to end before it is killed."""

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Duration
from knarr.units import duration_ns


def seconds(duration: str) -> int:
    """Whole seconds, rounded down: the engine's unit."""
    return duration_ns(duration) // 1_000_000_000


STOP_GRACE_PERIOD = Attribute(
    name="stop_grace_period",
    shape=Duration(),
    apply=to_config("stop_timeout", seconds),
    source="Compose Specification, services, stop_grace_period",
)
