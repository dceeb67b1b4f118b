"""Attributes of services: one file each, named for the attribute."""

from functools import cache
from importlib import import_module

from knarr.compose.attribute import Attribute


@cache
def attribute(name: str) -> Attribute:
    """Of its file, which is read when a compose file first has the attribute."""
    module = import_module(f"{__name__}.{name}")
    return next(value for value in vars(module).values() if isinstance(value, Attribute))
