"""The engine: a record of its services, no behaviour of its own."""

from dataclasses import dataclass

from knarr.events import EventBus
from knarr.store import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Built by plain constructor calls in ``daemon.assemble``; handed to every API route."""

    db: Database
    bus: EventBus
