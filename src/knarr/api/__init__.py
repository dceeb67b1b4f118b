"""The Docker Engine API: one function an endpoint, over the services of the engine.

May import: engine and below, http, spec, errors.
"""

import importlib
import pkgutil


def import_routes() -> None:
    """Import every file of this folder, so that all endpoints are declared."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
