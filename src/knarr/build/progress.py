"""What a build tells while it works, and to whom."""

from collections.abc import Mapping
from typing import Protocol

from knarr.build.graph import Vertex
from knarr.build.model import Result


class Listener(Protocol):
    """Hears of each operation that is done or was done before. In the loop; must not block."""

    def cached(self, vertex: Vertex, result: Result) -> None:
        """Its result was there already; so was that of everything beneath it."""

    def started(self, vertex: Vertex) -> None: ...

    def output(self, vertex: Vertex, stream: int, chunk: bytes) -> None: ...

    def done(self, vertex: Vertex, result: Result) -> None: ...

    def failed(self, vertex: Vertex, error: Exception) -> None: ...

    def keyed(self, vertex: Vertex, inputs: Mapping[str, str]) -> None:
        """What its key in the cache is made of, by name; told before it is looked up."""


class Silence:
    """Nobody listens."""

    def cached(self, vertex: Vertex, result: Result) -> None: ...

    def started(self, vertex: Vertex) -> None: ...

    def output(self, vertex: Vertex, stream: int, chunk: bytes) -> None: ...

    def done(self, vertex: Vertex, result: Result) -> None: ...

    def failed(self, vertex: Vertex, error: Exception) -> None: ...

    def keyed(self, vertex: Vertex, inputs: Mapping[str, str]) -> None: ...
