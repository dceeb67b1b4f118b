"""The graph of a build: operations and what they stand on, named by a digest of both.

Two builds that mean the same have the same digests, whatever file their Dockerfile lies in; that
is what lets one operation run once for all of them, and what the cache is asked for first.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol

import msgspec

from knarr.ids import Digest


class Operation(Protocol):
    """A frozen dataclass that says all of what is to be done, but not on what.

    A field that does not compare is for people and does not count in the digest.
    """

    kind: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def describe(self) -> str:
        """One line for people."""
        ...


def digest_of(*parts: object) -> Digest:
    """A stable digest of plain values, dataclasses and structs."""
    raw = msgspec.json.encode(parts, order="deterministic")
    return Digest(f"sha256:{hashlib.sha256(raw).hexdigest()}")


@dataclass(frozen=True, slots=True)
class Vertex:
    """An operation on its inputs; the first input, where there is one, is what it changes."""

    op: Operation
    inputs: tuple["Vertex", ...] = ()
    digest: Digest = field(init=False)

    def __post_init__(self) -> None:
        inputs = [each.digest for each in self.inputs]
        said = {each.name: getattr(self.op, each.name) for each in fields(self.op) if each.compare}
        object.__setattr__(self, "digest", digest_of(self.op.kind, said, inputs))

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vertex) and other.digest == self.digest

    def walk(self) -> Iterator["Vertex"]:
        """This vertex and all beneath it, each once, inputs before what uses them."""
        seen: set[Digest] = set()
        pending: list[tuple[Vertex, bool]] = [(self, False)]
        while pending:
            vertex, inputs_done = pending.pop()
            if inputs_done:
                yield vertex
            elif vertex.digest not in seen:
                seen.add(vertex.digest)
                pending.append((vertex, True))
                pending.extend((each, False) for each in reversed(vertex.inputs))
