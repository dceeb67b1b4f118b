"""What the preparing of a layer tells of it; apart from the rest for the worker's sake."""

from typing import NamedTuple


class Contents(NamedTuple):
    """What a layer's archive holds."""

    content_bytes: int  # of its files
    entries: int
