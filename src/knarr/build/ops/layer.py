"""Small changes of a file system, and layers put together."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDirectory:
    """A directory and those above it, where they are missing; no layer when none is.

    owner: ``user[:group]`` of those that are made; empty is root.
    """

    kind: ClassVar[str] = "mkdir"
    path: str
    owner: str = ""
    mode: int = 0o755

    def describe(self) -> str:
        return f"make directory {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """The layers of all inputs, the first one's lowest. Makes no layer of its own."""

    kind: ClassVar[str] = "merge"

    def describe(self) -> str:
        return "put layers on top of each other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Squash:
    """What the second input has on top of the first one, as one layer."""

    kind: ClassVar[str] = "squash"

    def describe(self) -> str:
        return "squash the new layers into one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Files of a context or download, put where they can be mounted."""

    kind: ClassVar[str] = "files"
    source: str

    def describe(self) -> str:
        return f"files of {self.source}"
