"""A plan in words: what would change, why, and what would be out of reach meanwhile."""

from collections.abc import Iterable, Sequence

from knarr.compose.actions import (
    Action,
    BuildImage,
    CreateContainer,
    PullImage,
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
