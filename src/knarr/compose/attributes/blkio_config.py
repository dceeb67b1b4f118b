"""How much the container may read from and write to block devices."""

from typing import Any

from knarr.compose.attribute import Attribute, Scene, host_config
from knarr.compose.shape import Fields, Integer, ListOf, Shape, Size, Text
from knarr.spec.docker.container import ContainerCreate, ThrottleDevice, WeightDevice


def _device(quantity: str, shape: Shape) -> Fields:
    return Fields(
        {"path": Text(), quantity: shape},
        extensible=False,
        spelled={"path": "Path", quantity: quantity.capitalize()},
    )


_RATES = ListOf(_device("rate", Size(fractions=False)))


def apply(blkio: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
    def throttles(name: str) -> tuple[ThrottleDevice, ...]:
        return tuple(
            ThrottleDevice(path=each.get("path", ""), rate=int(each.get("rate", 0)))
            for each in blkio.get(name, ())
        )

    return host_config(
        body,
        blkio_weight=blkio.get("weight", 0),
        blkio_weight_device=tuple(
            WeightDevice(path=each.get("path", ""), weight=each.get("weight", 0))
            for each in blkio.get("weight_device", ())
        ),
        blkio_device_read_bps=throttles("device_read_bps"),
        blkio_device_read_iops=throttles("device_read_iops"),
        blkio_device_write_bps=throttles("device_write_bps"),
        blkio_device_write_iops=throttles("device_write_iops"),
    )


BLKIO_CONFIG = Attribute(
    name="blkio_config",
    shape=Fields(
        {
            "weight": Integer(),
            "weight_device": ListOf(_device("weight", Integer())),
            "device_read_bps": _RATES,
            "device_read_iops": _RATES,
            "device_write_bps": _RATES,
            "device_write_iops": _RATES,
        },
        extensible=False,
    ),
    apply=apply,
    source="Compose Specification, services, blkio_config",
)
