"""Requests for devices by what they can do: GPUs and the like."""

from dataclasses import dataclass
from typing import Any, Final

from knarr.compose.shape import Fields, Integer, ListOf, Pairs, Place, Text
from knarr.spec.docker.container import DeviceRequest

ALL: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count(Integer):
    """How many; ``all`` for every one there is."""

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, str) and value.lower() == "all" and not at.as_written:
            return ALL
        return Integer.read(self, value, at)


def _settle(request: dict[str, Any], at: Place) -> dict[str, Any]:
    if "count" in request and "device_ids" in request:
        raise at.unreadable('"count" and "device_ids" attributes are exclusive')
    return request if "device_ids" in request else {**request, "count": request.get("count", ALL)}


def shape(*, required: tuple[str, ...] = ()) -> Fields:
    return Fields(
        {
            "capabilities": ListOf(Text(), unique=True),
            "driver": Text(),
            "count": _Count(),
            "device_ids": ListOf(Text(), unique=True),
            "options": Pairs(),
        },
        required=required,
        settle=_settle,
    )


def request(declared: dict[str, Any], *capabilities: str) -> DeviceRequest:
    """The engine's request; further capabilities are those that the attribute implies."""
    return DeviceRequest(
        driver=declared.get("driver", ""),
        count=declared.get("count", 0),
        device_ids=tuple(declared.get("device_ids", ())),
        capabilities=((*declared.get("capabilities", ()), *capabilities),),
        options=declared.get("options", {}),
    )
