"""A volume as the engine knows it, and which volumes a filter lets through."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from knarr.errors import InvalidArgument

LOCAL: Final = "local"
ANONYMOUS_LABEL: Final = "com.docker.volume.anonymous"  # clients look for it

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_NAME_MAX: Final = 255  # of a file name
_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false"})
Filters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume. ``mountpoint`` is where its data is, or appears once it is mounted."""

    name: str
    driver: str
    mountpoint: str
    created_ns: int
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def anonymous(self) -> bool:
        return ANONYMOUS_LABEL in self.labels


def check_name(name: str) -> None:
    """Raises InvalidArgument in Docker's words."""
    if len(name) == 1:
        raise InvalidArgument(
            f"create {name}: volume name is too short, names should be at least two alphanumeric"
            " characters"
        )
    if _NAME.fullmatch(name) is None:
        raise InvalidArgument(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only'
            ' "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory,'
            " use absolute path"
        )
    if len(name) > _NAME_MAX:
        raise InvalidArgument(f"create {name}: volume name is too long, {_NAME_MAX} is the most")


def check_filters(filters: Filters, *known: str) -> None:
    for name in filters:
        if name not in known:
            raise InvalidArgument(f"invalid filter '{name}'")


def switch(filters: Filters, name: str) -> bool | None:
    """The one value of a yes-or-no filter; None where it is not given."""
    match tuple(filters.get(name, ())):
        case ():
            return None
        case (value,) if value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
        case values:
            raise InvalidArgument(f"invalid filter '{name}=[{' '.join(values)}]'")


def passes(volume: Volume, filters: Filters, *, in_use: bool) -> bool:
    """Whether a volume is one that the filters ask for: of each name any value, of labels all."""
    dangling = switch(filters, "dangling")
    return (
        (dangling is None or dangling is not in_use)
        and _any(filters, "driver", volume.driver.__eq__)
        and _any(filters, "name", lambda wanted: _matches(wanted, volume.name))
        and all(_has(volume, wanted) for wanted in filters.get("label", ()))
        and not any(_has(volume, wanted) for wanted in filters.get("label!", ()))
    )


def _any(filters: Filters, name: str, holds: Callable[[str], bool]) -> bool:
    return name not in filters or any(holds(wanted) for wanted in filters[name])


def _matches(wanted: str, name: str) -> bool:
    """A filter on names is a regular expression that is found anywhere, as in Docker."""
    try:
        return wanted in name or re.search(wanted, name) is not None
    except re.error:
        return False


def _has(volume: Volume, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in volume.labels and (not equals or volume.labels[key] == value)
