"""What a rollout will do, decided before it begins: who is replaced, in which order, and why so."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from knarr.compose.actions import Plan
from knarr.compose.changes import Change
from knarr.compose.container_actions import RecreateContainer, RollOut
from knarr.compose.observed import RUNNING, Observed, name_of, number_of
from knarr.compose.project import Project, Service
from knarr.compose.revision import BEFORE
from knarr.compose.translation import shared_services
from knarr.compose.update_policy import (
    START_FIRST,
    STOP_FIRST,
    UNNOTICED,
    UpdatePolicy,
    rollback_policy,
)
from knarr.errors import NotFound


def fixed_ports(service: Service) -> list[str]:
    """Host ports that the service names exactly: one container each, unless they are shared."""
    published = (str(each.get("published", "")) for each in service.get("ports", []))
    return [port for port in published if port and port != "0" and "-" not in port]


def stands_against_start_first(service: Service, observed: Observed) -> str:
    """Why old and new cannot run side by side; empty when they can."""
    ports = fixed_ports(service)
    if ports and not observed.shares_ports:
        return f"this engine gives port {ports[0]} to one container only"
    for name, settings in (service.get("networks") or {}).items():
        for attribute in ("ipv4_address", "ipv6_address", "mac_address"):
            if (settings or {}).get(attribute):
                return f"the {attribute} on network {name} can belong to one container only"
    if service.get("network_mode") == "host":
        return "with the host's network both would want the same ports"
    return ""


def is_joined(project: Project, name: str) -> bool:
    """Whether other services share something with this one's container, and go with it."""
    return any(name in shared_services(each) for each in project.services.values())


def roll_out(
    service: Service,
    steps: Sequence[RecreateContainer],
    policy: UpdatePolicy,
    observed: Observed,
    warnings: list[str],
) -> RollOut:
    """The one action for all of ``steps``. A wish that cannot be had is told in ``warnings``."""
    back = rollback_policy(service) or replace(UNNOTICED, order=policy.order)
    if reason := stands_against_start_first(service, observed):
        if START_FIRST in (policy.order, back.order):
            warnings.append(
                f"services.{service.name}: {reason}, so the old container stops before the new "
                "one starts, and requests meanwhile may fail"
            )
        policy, back = replace(policy, order=STOP_FIRST), replace(back, order=STOP_FIRST)
    running = [each for each in observed.of_service(service.name) if each.state == RUNNING]
    spread = observed.shares_ports or not fixed_ports(service)
    others_serve = spread and len(running) > policy.at_once(len(steps))
    return RollOut(
        key=f"roll out {service.name}",
        service=service.name,
        steps=tuple(steps),
        policy=policy,
        back=back,
        downtime=policy.order == STOP_FIRST and bool(running) and not others_serve,
    )


def plan_rollback(
    project: Project, observed: Observed, services: Iterable[str], timeout: int | None = None
) -> Plan:
    """Every container of the named services (of all, when none is named) as it was before.

    Raises NotFound where no revision before is known.
    """
    names = tuple(services) or tuple(sorted(project.services))
    actions: list[RollOut] = []
    warnings: list[str] = []
    for name in names:
        service = project.service(name)
        steps = [
            RecreateContainer(
                key=f"create {name_of(each)}",
                service=name,
                container=name_of(each),
                number=number_of(each),
                replaced=each.id,
                changes=(Change(attribute="back to the revision before"),),
                was_running=each.state == RUNNING,
                timeout=timeout,
            )
            for each in observed.of_service(name)
            if BEFORE in each.labels
        ]
        if not steps and services:
            raise NotFound(f'service "{name}" has not been rolled out: no revision before is known')
        if steps:
            policy = rollback_policy(service) or UNNOTICED
            action = roll_out(service, steps, policy, observed, warnings)
            actions.append(replace(action, key=f"roll back {name}", to_before=True))
    if not actions:
        raise NotFound(f'nothing of project "{project.name}" has been rolled out')
    return Plan(project=project.name, actions=tuple(actions), warnings=tuple(warnings))
