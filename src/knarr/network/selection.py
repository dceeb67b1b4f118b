"""Which networks a list or a prune means: the filters of the Engine API. Pure."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from knarr.errors import InvalidArgument
from knarr.network.model import Network
from knarr.times import moment_ns

NetworkFilters = Mapping[str, Collection[str]]


def _label(network: Network, value: str) -> bool:
    key, equals, wanted = value.partition("=")
    return key in network.labels and (not equals or network.labels[key] == wanted)


def _type(network: Network, value: str) -> bool:
    if value not in {"builtin", "custom"}:
        raise InvalidArgument(f"invalid filter: 'type'='{value}'")
    return network.is_predefined == (value == "builtin")


_ANY: Final[Mapping[str, Callable[[Network, str], bool]]] = {
    "driver": lambda network, value: network.driver == value,
    "id": lambda network, value: value in network.id,
    "name": lambda network, value: value in network.name,
    "scope": lambda network, value: network.scope == value,
    "type": _type,
    "until": lambda network, value: network.created_ns < moment_ns(value, time.time_ns()),
}
_ALL: Final[Mapping[str, Callable[[Network, str], bool]]] = {
    "label": _label,
    "label!": lambda network, value: not _label(network, value),
}


def matches(network: Network, filters: NetworkFilters, *, in_use: bool) -> bool:
    """Whether the network is meant. Raises InvalidArgument for a filter that there is not."""
    for name, values in filters.items():
        if name in _ALL:
            if not all(_ALL[name](network, value) for value in values):
                return False
        elif name == "dangling":
            if not any(_is_dangling(network, value, in_use=in_use) for value in values):
                return False
        elif name in _ANY:
            if values and not any(_ANY[name](network, value) for value in values):
                return False
        else:
            raise InvalidArgument(f"invalid filter '{name}'")
    return True


def _is_dangling(network: Network, value: str, *, in_use: bool) -> bool:
    wanted = value.lower()
    if wanted not in {"true", "false", "1", "0"}:
        raise InvalidArgument(f"invalid filter 'dangling=[{value}]'")
    return (not in_use and not network.is_predefined) == (wanted in {"true", "1"})
