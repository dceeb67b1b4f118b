"""What a long command tells while it works; who listens decides how it looks."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class State(Enum):
    WORKING = "Working"
    DONE = "Done"
    WARNING = "Warning"
    ERROR = "Error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A step of something: ``Container app-web-1`` is ``Starting``.

    parent: what it is a part of: a layer's image.  current, total: bytes, where they are known.
    """

    subject: str
    text: str
    state: State = State.WORKING
    detail: str = ""
    parent: str = ""
    current: int = 0
    total: int = 0


class Report(Protocol):
    """May be called from several threads."""

    def __call__(self, progress: Progress) -> None: ...


def unheard(progress: Progress) -> None:
    """For those who want no report."""
