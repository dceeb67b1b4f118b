"""How many containers, what they may use, how they are replaced."""

from typing import Any

from knarr.compose import device_request
from knarr.compose.attribute import Attribute, Scene, host, host_config
from knarr.compose.attributes.cpus import nano_cpus
from knarr.compose.attributes.restart import policy
from knarr.compose.shape import (
    Decimal,
    Duration,
    Fields,
    Integer,
    ListOf,
    Nullable,
    Pairs,
    Size,
    Text,
)
from knarr.spec.docker.container import ContainerCreate

_UPDATE = Fields(
    {
        "parallelism": Integer(optional=True),
        "delay": Duration(optional=False),
        "failure_action": Text(),
        "monitor": Duration(optional=False),
        "max_failure_ratio": Decimal(),
        "order": Text(choices=("start-first", "stop-first")),
    }
)
_GENERIC = Fields(
    {"discrete_resource_spec": Fields({"kind": Text(), "value": Integer(fractions=True)})}
)
_RESOURCES = Fields(
    {
        "limits": Fields({"cpus": Decimal(), "memory": Size(), "pids": Integer()}),
        "reservations": Fields(
            {
                "cpus": Decimal(),
                "memory": Size(),
                "devices": ListOf(device_request.shape(required=("capabilities",))),
                "generic_resources": ListOf(_GENERIC),
            }
        ),
    },
    json_default={},
    keeps_empty=False,
)
_RESTART_POLICY = Fields(
    {
        "condition": Text(),
        "delay": Duration(),
        "max_attempts": Integer(optional=True),
        "window": Duration(),
    }
)
_PLACEMENT = Fields(
    {
        "constraints": ListOf(Text()),
        "preferences": ListOf(Fields({"spread": Text()})),
        "max_replicas_per_node": Integer(),
    },
    json_default={},
    keeps_empty=False,
)


def apply(deploy: Any, body: ContainerCreate, scene: Scene) -> ContainerCreate:
    for name in _for_clusters(deploy):
        scene.warn(f"services.{scene.service.name}.deploy.{name} has no effect: it is for clusters")
    resources = deploy.get("resources") or {}
    body = _limit(resources.get("limits") or {}, body)
    body = _reserve(resources.get("reservations") or {}, body)
    restart = deploy.get("restart_policy")
    if restart is None:
        return body
    condition, attempts = restart.get("condition", ""), restart.get("max_attempts", 0)
    return host_config(body, restart_policy=policy(condition, attempts))


def _for_clusters(deploy: dict[str, Any]) -> list[str]:
    """What is said of several hosts, or of what one engine does not count out."""
    found = [name for name in ("placement", "endpoint_mode") if deploy.get(name)]
    if deploy.get("mode", "replicated") != "replicated":
        found.append("mode")
    reserved = (deploy.get("resources") or {}).get("reservations") or {}
    found += [
        f"resources.reservations.{name}"
        for name in ("cpus", "generic_resources")
        if reserved.get(name)
    ]
    restart = deploy.get("restart_policy") or {}
    return found + [f"restart_policy.{name}" for name in ("delay", "window") if restart.get(name)]


def _limit(limits: dict[str, Any], body: ContainerCreate) -> ContainerCreate:
    changes: dict[str, int] = {}
    if "memory" in limits:
        changes["memory"] = int(limits["memory"])
    if "cpus" in limits:
        changes["nano_cpus"] = nano_cpus(limits["cpus"])
    if limits.get("pids", 0) > 0:
        changes["pids_limit"] = limits["pids"]
    return host_config(body, **changes)


def _reserve(reservations: dict[str, Any], body: ContainerCreate) -> ContainerCreate:
    """Memory and devices; CPUs are reserved only where a scheduler chooses between hosts."""
    if "memory" in reservations:
        body = host_config(body, memory_reservation=int(reservations["memory"]))
    requests = tuple(device_request.request(each) for each in reservations.get("devices", ()))
    return host_config(body, device_requests=(*host(body).device_requests, *requests))


DEPLOY = Attribute(
    name="deploy",
    shape=Nullable(
        Fields(
            {
                "mode": Text(),
                "replicas": Integer(optional=True),
                "labels": Pairs(),
                "update_config": _UPDATE,
                "rollback_config": _UPDATE,
                "resources": _RESOURCES,
                "restart_policy": _RESTART_POLICY,
                "placement": _PLACEMENT,
                "endpoint_mode": Text(),
            }
        )
    ),
    apply=apply,
    source="Compose Deploy Specification",
)
