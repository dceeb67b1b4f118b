"""Attributes of services: one file each, found by its being here."""

import pkgutil
from importlib import import_module

from knarr.compose.attribute import Attribute


def load() -> dict[str, Attribute]:
    """Every attribute by its name."""
    modules = (import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__))
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Attribute)
    ]
    return {attribute.name: attribute for attribute in found}
