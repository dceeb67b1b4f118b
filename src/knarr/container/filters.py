"""Which containers a list shows: the filters of ``ps``, each a small pure test.

Source: Engine API, ContainerList, filters.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from knarr.container.documents import Ports
from knarr.container.health import HEALTHY, STARTING, UNHEALTHY
from knarr.container.model import Container, Status
from knarr.errors import InvalidArgument
from knarr.times import moment_ns

Filters = Mapping[str, Sequence[str]]
KNOWN: Final = (
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label",
    "name", "network", "publish", "since", "status", "volume",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A container and what the filters ask of other rooms about it."""

    container: Container
    network_names: frozenset[str] = frozenset()  # names and IDs
    ports: Ports | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What the filter values mean: IDs of images, times of the containers named."""

    ancestors: frozenset[str] = frozenset()
    before_ns: int | None = None
    since_ns: int | None = None


def check_values(filters: Filters) -> None:
    """Raises InvalidArgument for a value that no container can have, even if there are none."""
    for name, valid in _VALID.items():
        for value in filters.get(name, ()):
            if not valid(value):
                raise InvalidArgument(f"invalid filter '{name}={value}'")


def matches(candidate: Candidate, filters: Filters, resolved: Resolved) -> bool:
    """Whether every filter holds; several values of one filter are alternatives (labels: all)."""
    return all(
        _TESTS[name](candidate, values, resolved) for name, values in filters.items() if values
    )


def label_matches(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Each of ``key`` or ``key=value`` holds."""
    for each in wanted:
        key, equals, value = each.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def _name(candidate: Candidate, values: Sequence[str], _: Resolved) -> bool:
    spelled = (candidate.container.name, f"/{candidate.container.name}")
    return any(_found(value, name) for value in values for name in spelled)


def _found(pattern: str, text: str) -> bool:
    """Docker takes names and IDs as regular expressions; what is none counts as plain text."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return pattern in text


def _status(candidate: Candidate, values: Sequence[str], _: Resolved) -> bool:
    return candidate.container.status.value in values


def _exited(candidate: Candidate, values: Sequence[str], _: Resolved) -> bool:
    container = candidate.container
    codes = {int(value) for value in values}
    return container.status is Status.EXITED and container.state.exit_code in codes


def _health(candidate: Candidate, values: Sequence[str], _: Resolved) -> bool:
    health = candidate.container.state.health
    return (health.status if health and health.status else "none") in values


def _volume(candidate: Candidate, values: Sequence[str], _: Resolved) -> bool:
    mounts = candidate.container.record.mounts
    return any(value in (m.name, m.destination, m.source) for value in values for m in mounts)


def _publish(candidate: Candidate, values: Sequence[str], _: Resolved) -> bool:
    bound = {
        (int(binding.host_port), port.partition("/")[2])
        for port, bindings in (candidate.ports or {}).items()
        for binding in bindings or ()
    }
    return any(each in bound for value in values for each in port_range(value))


def _expose(candidate: Candidate, values: Sequence[str], _: Resolved) -> bool:
    exposed = {
        (int(port.partition("/")[0]), port.partition("/")[2]) for port in candidate.ports or {}
    }
    return any(each in exposed for value in values for each in port_range(value))


def port_range(text: str) -> list[tuple[int, str]]:
    """``80``, ``80/udp``, ``8000-8010/tcp``: each port with its protocol."""
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    try:
        span = range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise InvalidArgument(f"invalid filter: {text!r} is not a port") from error
    return [(number, protocol or "tcp") for number in span]


def prunable(container: Container, filters: Filters, now_ns: int) -> bool:
    """Whether `prune` may remove it: ``until`` (a time or a duration), ``label``, ``label!``."""
    labels = container.record.config.labels
    if not label_matches(labels, filters.get("label", ())):
        return False
    if any(label_matches(labels, (each,)) for each in filters.get("label!", ())):
        return False
    return all(container.created_ns < moment_ns(each, now_ns) for each in filters.get("until", ()))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text) is not None


def _is_ports(text: str) -> bool:
    return re.fullmatch(r"\d+(-\d+)?(/\w+)?", text) is not None


_YES: Final = ("1", "true")
_NO: Final = ("0", "false")
_HEALTH: Final = ("none", STARTING, HEALTHY, UNHEALTHY)
_VALID: Final[Mapping[str, Callable[[str], bool]]] = {
    "exited": _is_number,
    "expose": _is_ports,
    "health": lambda value: value in _HEALTH,
    "is-task": lambda value: value.lower() in (*_YES, *_NO),
    "publish": _is_ports,
    "status": lambda value: value in set(Status),
}
_Test = Callable[[Candidate, Sequence[str], Resolved], bool]
_TESTS: Final[Mapping[str, _Test]] = {
    "ancestor": lambda c, _, resolved: c.container.image in resolved.ancestors,
    "before": lambda c, _, r: r.before_ns is not None and c.container.created_ns < r.before_ns,
    "since": lambda c, _, r: r.since_ns is not None and c.container.created_ns > r.since_ns,
    "exited": _exited,
    "expose": _expose,
    "health": _health,
    "id": lambda c, values, _: any(_found(value, c.container.id) for value in values),
    "is-task": lambda _c, values, _: any(value.lower() in _NO for value in values),
    "isolation": lambda _c, _values, _resolved: True,  # of Windows
    "label": lambda c, values, _: label_matches(c.container.record.config.labels, values),
    "name": _name,
    "network": lambda c, values, _: any(value in c.network_names for value in values),
    "publish": _publish,
    "status": _status,
    "volume": _volume,
}
