"""The command that tells whether the container is well, and how often it is asked."""

from typing import Any, Final

from knarr.compose.attribute import Attribute, to_config
from knarr.compose.shape import Boolean, Duration, Fields, Integer, Words
from knarr.spec.docker.health import HealthConfig
from knarr.units import duration_ns

_NONE: Final = ("NONE",)


def health_config(check: dict[str, Any]) -> HealthConfig:
    if check.get("disable"):
        return HealthConfig(test=_NONE)
    return HealthConfig(
        test=tuple(check.get("test", ())),
        interval=duration_ns(check.get("interval", "0")),
        timeout=duration_ns(check.get("timeout", "0")),
        start_period=duration_ns(check.get("start_period", "0")),
        start_interval=duration_ns(check.get("start_interval", "0")),
        retries=check.get("retries", 0),
    )


HEALTHCHECK = Attribute(
    name="healthcheck",
    shape=Fields(
        {
            "test": Words(),
            "timeout": Duration(),
            "interval": Duration(),
            "retries": Integer(optional=True, fractions=True),
            "start_period": Duration(),
            "start_interval": Duration(),
            "disable": Boolean(),
        }
    ),
    apply=to_config("healthcheck", health_config),
    source="Compose Specification, services, healthcheck",
)
