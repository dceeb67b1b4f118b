"""A stage while it is lowered: the image's config so far, and the vertex that holds its files.

Each instruction takes a stage and gives the next one; nothing is ever edited.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

import msgspec

from knarr.build.graph import Operation, Vertex
from knarr.dockerfile.expansion import Expanded, expand
from knarr.spec.docker.image import ImageConfig
from knarr.spec.oci.image import Platform

DEFAULT_SHELL: Final = ("/bin/sh", "-c")
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class World(Protocol):
    """What a stage can ask about what lies outside of it."""

    @property
    def build_args(self) -> Mapping[str, str]:
        """What the client gave."""
        ...

    @property
    def global_args(self) -> Mapping[str, str]:
        """ARGs before the first FROM, and the platform's."""
        ...

    @property
    def network(self) -> str:
        """Of steps that do not say."""
        ...

    @property
    def hostname(self) -> str: ...

    @property
    def cache_namespace(self) -> str:
        """Put in front of the id of every cache mount."""
        ...

    def files_of(self, origin: str, stage: "Stage") -> Vertex:
        """The files of a stage, a named context or an image. Raises NotFound, InvalidArgument."""
        ...

    def context(self) -> Vertex:
        """The build context."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """How a layer, or a change of the config alone (then ``vertex`` is None), came to be."""

    created_by: str
    vertex: Vertex | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An ARG in scope; ``value`` is None when it has neither a default nor been given."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one instruction after the other has made so far.

    noted: the vertex that the last history entry stands for.
    """

    world: World
    name: str
    index: int
    platform: Platform
    node: Vertex
    config: ImageConfig = field(default_factory=ImageConfig)
    author: str = ""
    escape: str = "\\"
    arguments: tuple[Argument, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    cmd_is_set: bool = False  # in this stage, not in its base
    noted_node: Vertex | None = field(default=None, repr=False)

    @property
    def env(self) -> Mapping[str, str]:
        """The image's variables."""
        return dict(_split(pair) for pair in self.config.env)

    @property
    def variables(self) -> Mapping[str, str]:
        """What ``$NAME`` means here: an ARG's value unless an ENV has the same name."""
        given = {arg.name: arg.value for arg in self.arguments if arg.value is not None}
        return {**given, **self.env}

    @property
    def shell(self) -> tuple[str, ...]:
        return self.config.shell or DEFAULT_SHELL

    def expansion(self, text: str) -> Expanded:
        return expand(text, self.variables, escape=self.escape)

    def expand(self, text: str) -> str:
        """``text`` with its variables replaced and its quotes removed. Raises ExpansionError."""
        return self.expansion(text).text

    def configured(self, **changes: Any) -> Self:
        """With these fields of the image's config."""
        return replace(self, config=msgspec.structs.replace(self.config, **changes))

    def then(self, op: Operation, *inputs: Vertex) -> Self:
        """With ``op`` done on the stage's files; ``inputs`` are what it takes besides them."""
        return replace(self, node=Vertex(op, (self.node, *inputs)))

    def noted(self, created_by: str) -> Self:
        """With an entry in the history for what was done since the last one."""
        made = self.node if self.node != self.noted_node else None
        entry = HistoryEntry(created_by=created_by, vertex=made)
        return replace(self, history=(*self.history, entry), noted_node=self.node)

    def with_env(self, name: str, value: str) -> Self:
        """An existing variable keeps its place."""
        pairs = dict(_split(pair) for pair in self.config.env)
        pairs[name] = value
        return self.configured(env=tuple(f"{key}={each}" for key, each in pairs.items()))

    def with_argument(self, name: str, value: str | None) -> Self:
        others = tuple(arg for arg in self.arguments if arg.name != name)
        return replace(self, arguments=(*others, Argument(name=name, value=value)))


def _split(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return name, value
