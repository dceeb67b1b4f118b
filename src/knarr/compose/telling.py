"""A plan in words: what would change, why, and what would be out of reach meanwhile."""

from collections.abc import Iterable, Sequence
from typing import Any

from knarr.compose.actions import Action, BuildImage, PullImage
from knarr.compose.container_actions import (
    CreateContainer,
    RecreateContainer,
    RemoveContainer,
    RollOut,
    StartContainer,
    StopContainer,
)

_WORDS = {
    PullImage: "pull",
    BuildImage: "build",
    CreateContainer: "create",
    RecreateContainer: "replace",
    RemoveContainer: "remove",
    StartContainer: "start",
    StopContainer: "stop",
}


def tell(project: str, work: Sequence[Action], kept: Iterable[tuple[str, str]]) -> str:
    """Lines for people; services that stay as they are are counted at the end."""
    if not work:
        return f"{project}: nothing to do\n"
    replaced = {each.container for each in work if isinstance(each, RecreateContainer)}
    lines: list[str] = []
    for action in work:
        if isinstance(action, (StartContainer, StopContainer)) and action.container in replaced:
            continue  # a part of the replacement
        lines += _lines(action)
    unchanged = len(list(kept))
    if unchanged:
        lines.append(f"  unchanged: {unchanged} container{'s' if unchanged > 1 else ''}")
    return "\n".join((f"{project}:", *lines)) + "\n"


def _lines(action: Action) -> list[str]:
    if isinstance(action, RollOut):
        return _rollout(action)
    word = _WORDS.get(type(action), action.doing.lower())
    head = f"  {word} {action.resource.lower()} {action.name}"
    if not isinstance(action, RecreateContainer):
        return [head]
    if action.was_running:
        head += " (out of reach while it is replaced)"
    return [head, *(f"      {change}" for change in action.changes)]


def _rollout(action: RollOut) -> list[str]:
    at_once = action.policy.at_once(len(action.steps))
    reach = "out of reach meanwhile" if action.downtime else "without downtime"
    head = (
        f"  roll out service {action.service} ({action.policy.order}, {at_once} at a time, {reach})"
    )
    lines = [head]
    for step in action.steps:
        lines.append(f"    replace container {step.container}")
        lines += [f"      {change}" for change in step.changes]
    return lines


def describe(action: Action) -> dict[str, Any]:
    """An action as ``plan --format json`` shows it."""
    shown: dict[str, Any] = {
        "action": type(action).__name__,
        "resource": action.resource,
        "name": action.name,
    }
    if action.service_name:
        shown["service"] = action.service_name
    if isinstance(action, RecreateContainer):
        shown["downtime"] = action.was_running
        shown["changes"] = _changes(action)
    if isinstance(action, RollOut):
        shown["downtime"] = action.downtime
        shown["order"] = action.policy.order
        shown["parallelism"] = action.policy.at_once(len(action.steps))
        shown["containers"] = [
            {"name": each.container, "changes": _changes(each)} for each in action.steps
        ]
    return shown


def _changes(action: RecreateContainer) -> list[dict[str, str]]:
    return [
        {"attribute": each.attribute, "old": each.old, "new": each.new} for each in action.changes
    ]
