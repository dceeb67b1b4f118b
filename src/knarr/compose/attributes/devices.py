"""Devices of the host: ``HOST[:CONTAINER[:rwm]]``, or a CDI name."""

import re
from typing import Any, Final

from knarr.compose.attribute import Attribute, Scene, host, host_config
from knarr.compose.shape import Either, Fields, ListOf, Place, Text
from knarr.spec.docker.container import ContainerCreate, DeviceMapping, DeviceRequest

_CDI: Final = re.compile(r"[A-Za-z][\w.-]*/[A-Za-z][\w.-]*=[\w.:-]+")


def parse(entry: str, at: Place) -> dict[str, str]:
    """The long spelling of a short entry."""
    parts = entry.split(":")
    if len(parts) > 3:
        raise at.unreadable(f"confusing device mapping, please use long syntax: {entry}")
    source, target, permissions = (*parts, "", "")[:3]
    return {"source": source, "target": target or source, "permissions": permissions or "rwm"}


def key(entry: Any) -> str:
    """Two entries for the same path in the container are one."""
    return str(entry.get("target", entry["source"]) if isinstance(entry, dict) else entry)


def _is_cdi(entry: dict[str, str]) -> bool:
    return entry["source"] == entry.get("target") and _CDI.fullmatch(entry["source"]) is not None


def apply(devices: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:  # noqa: ARG001
    mappings = tuple(
        DeviceMapping(
            path_on_host=each["source"],
            path_in_container=each.get("target", each["source"]),
            cgroup_permissions=each.get("permissions", ""),
        )
        for each in devices
        if not _is_cdi(each)
    )
    names = tuple(each["source"] for each in devices if _is_cdi(each))
    requests = (DeviceRequest(driver="cdi", device_ids=names),) if names else ()
    return host_config(
        body, devices=mappings, device_requests=(*host(body).device_requests, *requests)
    )


DEVICES = Attribute(
    name="devices",
    shape=ListOf(
        Either(
            Text(),
            parse,
            Fields(
                {"source": Text(), "target": Text(), "permissions": Text()}, required=("source",)
            ),
        ),
        key=key,
    ),
    apply=apply,
    source="Compose Specification, services, devices",
)
