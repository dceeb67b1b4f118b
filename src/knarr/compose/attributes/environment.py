"""Variables of the container's process; a bare name takes its value from the environment."""

from collections.abc import Mapping

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Pairs


def entries(variables: Mapping[str, str | None]) -> tuple[str, ...]:
    """``NAME=value`` each, in order; a name without a value takes the image's variable away."""
    return tuple(
        name if value is None else f"{name}={value}" for name, value in sorted(variables.items())
    )


ENVIRONMENT = Attribute(
    name="environment",
    shape=Pairs(bare=True),
    apply=to_config("env", entries),
    source="Compose Specification, services, environment",
)
