"""What happened: values, and the bus that tells whoever listens.

May import: spec, errors.
"""

from knarr.events.bus import EventBus, Listener
from knarr.events.model import Event

__all__ = ["Event", "EventBus", "Listener"]
