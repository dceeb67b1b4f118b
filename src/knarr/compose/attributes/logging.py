"""The log driver and its options; options of several files join only for the same driver."""

from dataclasses import dataclass
from typing import Any

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Fields, Options, Text
from knarr.spec.docker.container import LogConfig


@dataclass(frozen=True, slots=True)
class _Logging(Fields):
    def merge(self, base: Any, other: Any) -> Any:
        if base is None or other is None:
            return base if other is None else other
        drivers = {each["driver"] for each in (base, other) if "driver" in each}
        return Fields.merge(self, base, other) if len(drivers) < 2 else other


def log_config(logging: dict[str, Any]) -> LogConfig:
    return LogConfig(type=logging.get("driver", ""), config=logging.get("options", {}))


LOGGING = Attribute(
    name="logging",
    shape=_Logging({"driver": Text(), "options": Options(nulls=True)}),
    apply=to_host("log_config", log_config),
    source="Compose Specification, services, logging",
)
