"""What an update makes of a container's limits and restart policy. Pure.

Source: Engine API, ContainerUpdate; the sentences are Docker's.
"""

from typing import Any, Final

from msgspec.structs import asdict, fields, replace

from knarr.container import limits
from knarr.container.machine import Machine
from knarr.container.settings import check_restart_policy
from knarr.errors import InvalidArgument, Unsupported
from knarr.spec.docker.container import ContainerUpdate, HostConfig, Resources

# What a container keeps for life: the API has these fields in common with creation.
_FIXED: Final = (
    "cgroup_parent", "devices", "device_cgroup_rules", "device_requests", "init",
    "oom_kill_disable", "memory_swappiness", "cpu_count", "cpu_percent",
)  # fmt: skip
_ULIMITS_LATER: Final = "The new ulimits hold from the container's next start on."
_CLASHES: Final = (
    ("nano_cpus", "cpu_period", "Nano CPUs", "CPU Period"),
    ("nano_cpus", "cpu_quota", "Nano CPUs", "CPU Quota"),
    ("cpu_period", "nano_cpus", "CPU Period", "NanoCPUs"),
    ("cpu_quota", "nano_cpus", "CPU Quota", "NanoCPUs"),
)


def updated(
    host: HostConfig, wanted: ContainerUpdate, machine: Machine, container: str
) -> tuple[HostConfig, tuple[str, ...]]:
    """The host config afterwards, and warnings about what this machine cannot do.

    A field that is empty in ``wanted`` stays as it was; 0 and less takes a limit on PIDs away.
    Raises InvalidArgument in Docker's words, Unsupported for what cannot change.
    """
    for field in fields(Resources):
        if field.name in _FIXED and getattr(wanted, field.name) != field.default:
            name = field.encode_name
            raise Unsupported(f"{name} of a container cannot be updated: create it anew")
    check_restart_policy(wanted.restart_policy, auto_remove=False)
    possible, warnings = limits.checked(wanted, machine, update=True)
    try:
        _check_clashes(host, possible)
    except InvalidArgument as error:
        raise InvalidArgument(f"Cannot update container {container}: {error}") from error
    changes = _changes(possible)
    if "memory" in changes and "memory_swap" not in changes and host.memory_swap <= 0:
        changes["memory_swap"] = host.memory_swap or possible.memory * 2
    if possible.ulimits:
        limits.check_ulimits(possible.ulimits)
        warnings = (*warnings, _ULIMITS_LATER)
    return replace(host, **changes), warnings


def _check_clashes(host: HostConfig, wanted: ContainerUpdate) -> None:
    for given, standing, name, other in _CLASHES:
        if getattr(wanted, given) > 0 and getattr(host, standing) > 0:
            raise InvalidArgument(
                f"Conflicting options: {name} cannot be updated as {other} has already been set"
            )
    if wanted.memory and not wanted.memory_swap and 0 < host.memory_swap < wanted.memory:
        raise InvalidArgument(
            "Memory limit should be smaller than already set memoryswap limit, update the"
            " memoryswap at the same time"
        )
    policy = wanted.restart_policy
    if host.auto_remove and policy is not None and policy.name not in ("", "no"):
        raise InvalidArgument(
            "Restart policy cannot be updated because AutoRemove is enabled for the container"
        )


def _changes(wanted: ContainerUpdate) -> dict[str, Any]:
    empty = asdict(ContainerUpdate())
    changes = {name: value for name, value in asdict(wanted).items() if value != empty[name]}
    policy = wanted.restart_policy
    if policy is None or not policy.name:
        changes.pop("restart_policy", None)
    return changes
