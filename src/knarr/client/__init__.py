"""A typed client of the Engine API: one sans-IO core, a blocking and an async face.

``Client`` waits for answers, ``AsyncClient`` is awaited; both decode answers into the documents of
``knarr.spec.docker`` and work with any Docker engine. They are loaded when first named: the
command line needs blocking.py and calls/ alone, and not the documents.

wire.py reads HTTP, requests.py writes it, calls/ has the verbs, verbs.py makes methods of them.
May import: http, spec, errors, ids, units, reference.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from knarr.client.asynchronous import AsyncClient as AsyncClient
    from knarr.client.sync import Client as Client

_HOMES = {"Client": "knarr.client.sync", "AsyncClient": "knarr.client.asynchronous"}


def __getattr__(name: str) -> object:
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(__import__(home, fromlist=(name,)), name)
