"""Limits of the container's process: one number, or soft and hard."""

from dataclasses import dataclass
from typing import Any

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Either, Fields, Form, Integer, MapOf
from knarr.spec.docker.container import Ulimit


@dataclass(frozen=True, slots=True)
class _Limit(Either):
    """A later file's limit replaces an earlier one's as a whole."""

    def merge(self, base: Any, other: Any) -> Any:
        return base if other is None else other

    def write(self, value: Any, form: Form) -> Any:
        return {"soft": 0, "hard": 0} if value == 0 and form is Form.YAML else value

    def omits(self, value: Any) -> bool:
        return value is None


ULIMIT_MAP = MapOf(
    _Limit(
        Integer(),
        lambda value, _: value,
        Fields(
            {"soft": Integer(optional=True), "hard": Integer(optional=True)},
            required=("soft", "hard"),
        ),
        complaint="must be a integer or string",
    ),
    pattern="^[a-z]+$",
    closed=False,
)


def limits(declared: dict[str, Any]) -> tuple[Ulimit, ...]:
    return tuple(
        Ulimit(name=name, soft=limit["soft"], hard=limit["hard"])
        if isinstance(limit, dict)
        else Ulimit(name=name, soft=limit, hard=limit)
        for name, limit in sorted(declared.items())
    )


ULIMITS = Attribute(
    name="ulimits",
    shape=ULIMIT_MAP,
    apply=to_host("ulimits", limits),
    source="Compose Specification, services, ulimits",
)
