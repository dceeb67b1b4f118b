"""What an operation is known by in the cache: by its definition, or by what its inputs came to."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from knarr.build import keys
from knarr.build.copying import selection_digest, subtree_digest
from knarr.build.flights import Flights
from knarr.build.graph import Vertex, digest_of
from knarr.build.model import Layered, Result
from knarr.build.ops import (
    BindMount,
    Context,
    Copy,
    Execute,
    Git,
    Http,
    Image,
    InlineFiles,
    Merge,
    Scratch,
)
from knarr.build.session import Session
from knarr.build.sources import known_digest
from knarr.errors import KnarrError
from knarr.ids import Digest

_SECOND_NS: Final = 1_000_000_000


class Naming:
    """The keys of one build's vertices; what they take from contexts is looked at once."""

    def __init__(
        self,
        session: Session,
        result: Callable[[Vertex], Awaitable[Result]],
        tell: Callable[[Vertex, KnarrError], None],
    ) -> None:
        """``result``: of what is known only when it is there. ``tell`` hears of failures."""
        self._session = session
        self._result = result
        self._tell = tell
        self._inputs: dict[Digest, keys.Inputs] = {}
        self._naming: Flights[keys.Inputs] = Flights()

    async def definition_key(self, vertex: Vertex) -> Digest:
        match vertex.op:
            case Scratch() | Image() | InlineFiles():
                return vertex.digest
            case Http() | Git():
                return known_digest(await self._result(vertex))
            case Context():
                return vertex.digest  # whoever uses it adds the digest of what it uses
            case Merge():
                below = [await self.definition_key(each) for each in vertex.inputs]
                return digest_of("merge", below)
        return keys.key_of(vertex.op, await self._named_inputs(vertex))

    async def _named_inputs(self, vertex: Vertex) -> keys.Inputs:
        if vertex.digest not in self._inputs:
            named, _ = await self._naming.join(vertex.digest, lambda: self._name_inputs(vertex))
            self._inputs[vertex.digest] = named
        return self._inputs[vertex.digest]

    async def _name_inputs(self, vertex: Vertex) -> keys.Inputs:
        named = keys.operation_inputs(vertex.op)
        for number, each in enumerate(vertex.inputs):
            if not isinstance(each.op, Context):
                named[_input_name(number, each)] = await self.definition_key(each)
        try:
            named |= await self._context_digests(vertex)
        except KnarrError as error:  # found when a later step was named, but this one's own
            self._tell(vertex, error)
            raise
        if self._session.epoch_ns is not None:
            named["SOURCE_DATE_EPOCH"] = str(self._session.epoch_ns // _SECOND_NS)
        self._session.listener.keyed(vertex, named)
        return named

    async def content_key(self, vertex: Vertex, inputs: Sequence[Result]) -> Digest:
        """As the definition's, with what the inputs came to in place of what they say."""
        named = dict(await self._named_inputs(vertex))
        for number, (each, result) in enumerate(zip(vertex.inputs, inputs, strict=True)):
            if isinstance(result, Layered):
                named[_input_name(number, each)] = digest_of("layers", result.diff_ids)
        return keys.key_of(vertex.op, named)

    async def _context_digests(self, vertex: Vertex) -> dict[str, str]:
        """Of what the operation takes from contexts, and of nothing else in them."""
        digests: dict[str, str] = {}
        op = vertex.op
        for number, selection in enumerate(op.selections if isinstance(op, Copy) else ()):
            source = vertex.inputs[selection.input].op
            if isinstance(source, Context) and isinstance(op, Copy):
                tree = self._session.context(source.name)
                digests[f"files {number}"] = await asyncio.to_thread(
                    selection_digest, tree, op, selection
                )
        for mount in op.mounts if isinstance(op, Execute) else ():
            source = vertex.inputs[mount.input].op if isinstance(mount, BindMount) else op
            if isinstance(source, Context) and isinstance(mount, BindMount):
                tree = self._session.context(source.name)
                digests[f"files {mount.target}"] = await asyncio.to_thread(
                    subtree_digest, tree, mount.source
                )
        return digests


def _input_name(number: int, vertex: Vertex) -> str:
    return keys.BASE if number == 0 else f"source {number} ({vertex.op.describe()})"
