"""What a build hands from operation to operation, and what the cache remembers of it."""

from dataclasses import dataclass

from knarr.build.tree import Tree
from knarr.ids import DiffId, Digest
from knarr.snapshot import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered:
    """A file system, as layers.

    time_ns: what the result says of itself, so that it is the same wherever and whenever it is
    built: the newest time among what it was made from. Nanoseconds since the epoch.
    """

    diff_ids: tuple[DiffId, ...]  # lowest first
    time_ns: int = 0


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

    @property
    def result(self) -> Layered:
        return Layered(diff_ids=self.diff_ids, time_ns=self.time_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """What is to be remembered. ``layer`` is stored and pinned; None for no change."""

    kind: str
    description: str
    below: tuple[DiffId, ...]
    layer: Layer | None
    time_ns: int
    keys: tuple[Digest, ...]


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
