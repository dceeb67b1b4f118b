"""What a build hands from operation to operation, and what the cache remembers of it."""

from dataclasses import dataclass
from typing import NamedTuple

from knarr.build.tree import Tree
from knarr.ids import DiffId, Digest
from knarr.snapshot import Layer


class Mark(NamedTuple):
    """How a chain grew: after this vertex it had so many layers, and said this of its time."""

    vertex: Digest
    layers: int
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered:
    """A file system, as layers.

    time_ns: what the result says of itself, so that it is the same wherever and whenever it is
    built: the newest time among what it was made from. Nanoseconds since the epoch.
    marks: of the operations it came from, first ones first; what the history is told from.
    """

    diff_ids: tuple[DiffId, ...]  # lowest first
    time_ns: int = 0
    marks: tuple[Mark, ...] = ()

    def marked(self, vertex: Digest) -> "Layered":
        """With a mark for what ``vertex`` came to."""
        mark = Mark(vertex, len(self.diff_ids), self.time_ns)
        return Layered(diff_ids=self.diff_ids, time_ns=self.time_ns, marks=(*self.marks, mark))


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files that are no layer (yet): a context, a repository, a download, heredocs.

    digest: of all of them; empty for a context, of which each use has a digest of its own.
    """

    tree: Tree
    digest: Digest | None = None
    time_ns: int = 0


Result = Layered | Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One operation's result, as the cache has it."""

    id: str
    kind: str
    description: str
    diff_ids: tuple[DiffId, ...]  # the whole chain
    diff_id: DiffId | None  # the layer it added
    size_bytes: int
    time_ns: int
    made_ns: int
    used_ns: int
    uses: int
    marks: tuple[Mark, ...] = ()  # of the key that it was found by

    @property
    def result(self) -> Layered:
        return Layered(diff_ids=self.diff_ids, time_ns=self.time_ns, marks=self.marks)


@dataclass(frozen=True, slots=True)
class Made:
    """What an operation came to: a layer that is pinned and not yet recorded, or no change."""

    layer: Layer | None
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """What is to be remembered. ``layer`` is stored and pinned; None for no change."""

    kind: str
    description: str
    below: tuple[DiffId, ...]
    layer: Layer | None
    time_ns: int
    key: Digest  # by definition
    content_key: Digest
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMountUse:
    """A directory that is kept for RUN --mount=type=cache, as ``system df`` shows it."""

    id: str
    number: int
    name: str
    size_bytes: int
    made_ns: int
    used_ns: int
    uses: int
