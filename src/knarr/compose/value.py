"""What actions and their parts are made of: frozen, with keywords, and quick to import.

A dataclass costs the start of every command half a millisecond; of these the room has many.
"""

from knarr.spec.document import SnakeDocument


class Value(SnakeDocument):
    """Compared and hashed by what it holds; changed by ``msgspec.structs.replace``."""
