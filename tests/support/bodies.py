"""Bodies of requests, made comparable."""

from typing import Any


def without_zeros(value: Any) -> Any:
    """The value without what says nothing: null, empty, zero, false. Entries of maps stay."""
    if isinstance(value, list):
        return [without_zeros(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: without_zeros(item) for name, item in value.items()}
    return {name: item for name, item in found.items() if _says_something(name, item)}


def _says_something(name: str, item: Any) -> bool:
    if "/" in name or name.islower():  # a port, a path, a network: the key itself speaks
        return True
    return item not in (None, "", 0, False, [], {}, [0, 0])
