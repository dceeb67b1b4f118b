"""What a one-off container of a service needs before it runs: the others, up."""

from dataclasses import replace

import msgspec

from knarr.compose.actions import Await, Plan
from knarr.compose.container_actions import StartContainer
from knarr.compose.draft import UpOptions
from knarr.compose.observed import Observed
from knarr.compose.plan import plan_up
from knarr.compose.project import CONDITION_STARTED, Project


def plan_dependencies(project: Project, observed: Observed, name: str, options: UpOptions) -> Plan:
    """What a one-off container of a service needs: the others up, as it asks for them."""
    service = project.services[name]
    others = {key: each for key, each in project.services.items() if key != name}
    rest = replace(project, services=others, disabled={**project.disabled, name: service})
    plan = plan_up(rest, observed, options)
    starts: dict[str, list[str]] = {}
    for action in plan.actions:
        if isinstance(action, StartContainer):
            starts.setdefault(action.service, []).append(action.key)
    awaits = [
        Await(
            key=f"await {other} {dependency.condition}",
            after=frozenset(starts.get(other, ())),
            service=other,
            condition=dependency.condition,
            required=dependency.required,
            for_service=name,
        )
        for other, dependency in sorted(service.dependencies.items())
        if dependency.condition != CONDITION_STARTED and other in others
    ]
    known = {action.key for action in plan.actions}
    more = tuple(each for each in awaits if each.key not in known)
    return msgspec.structs.replace(plan, actions=(*plan.actions, *more))
