"""What one build brings with it: contexts, secrets, and how it wants things done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from knarr.build.progress import Listener, Silence
from knarr.build.runner import Resources
from knarr.build.tree import Tree
from knarr.errors import KnarrError, NotFound
from knarr.ids import DiffId, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Belongs to one build.

    contexts: by name, ``context`` being the build context. secrets, agents (sockets): by id.
    proxies: variables that steps see and the cache does not. hosts: names for /etc/hosts.
    epoch_ns: SOURCE_DATE_EPOCH. uncached: vertices that are done anew.
    lease: who holds the layers that the build is given until it is over.
    trusted: layers of images by which a step must have come to be taken from the cache; None: any.
    timeout_s: of one step. allowed: what a step may have only if the client says so.
    """

    contexts: Mapping[str, Tree] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    agents: Mapping[str, Path] = field(default_factory=dict)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    hosts: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    epoch_ns: int | None = None
    no_cache: bool = False
    uncached: frozenset[Digest] = frozenset()
    trusted: Sequence[tuple[DiffId, ...]] | None = None
    lease: str = ""
    timeout_s: float | None = None
    allowed: frozenset[str] = frozenset()
    listener: Listener = field(default_factory=Silence)

    def context(self, name: str) -> Tree:
        """Raises NotFound."""
        tree = self.contexts.get(name)
        if tree is None:
            raise NotFound(f"no {'build context' if name == 'context' else f'context {name}'}")
        return tree


class StepFailed(KnarrError):
    """A command of the Dockerfile ended badly; ``code`` is what it ended with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
