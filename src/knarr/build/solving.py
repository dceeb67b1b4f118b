"""One build solved: each vertex is looked up, and what the cache does not have is brought about."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from knarr.build.copying import subtree_digest
from knarr.build.graph import Vertex, digest_of
from knarr.build.inline import InlineTree
from knarr.build.model import Files, Layered, Made, Result
from knarr.build.naming import Naming
from knarr.build.ops import (
    BindMount,
    CacheMount,
    Context,
    Copy,
    Execute,
    Git,
    Http,
    Image,
    InlineFiles,
    MakeDirectory,
    Merge,
    Scratch,
    Squash,
    Stored,
)
from knarr.build.session import Session
from knarr.build.stepcache import StepCache
from knarr.build.tree import FolderTree
from knarr.errors import KnarrError
from knarr.ids import DiffId, Digest, new_hex
from knarr.snapshot import Layer

if TYPE_CHECKING:
    from knarr.build.solver import Solver


class Solving:
    """One call of ``solve``: each vertex is a task, started when it is first asked for."""

    def __init__(
        self, solver: "Solver", session: Session, group: asyncio.TaskGroup, scratch: Path
    ) -> None:
        self._solver = solver
        self._session = session
        self._group = group
        self._scratch = scratch
        self._results: dict[Digest, asyncio.Task[Result]] = {}
        self._cache = StepCache(solver.db, solver.layers, session)
        self._naming = Naming(session, self.result, self._tell)
        self._told: list[KnarrError] = []
        self._opened: list[FolderTree] = []

    def close(self) -> None:
        for tree in self._opened:
            tree.close()

    def _open(self, files: Files) -> Files:
        """Closed with the whole."""
        if isinstance(files.tree, FolderTree):
            self._opened.append(files.tree)
        return files

    async def result(self, vertex: Vertex) -> Result:
        task = self._results.get(vertex.digest)
        if task is None:
            task = self._group.create_task(self._result(vertex))
            self._results[vertex.digest] = task
        return await asyncio.shield(task)

    async def _result(self, vertex: Vertex) -> Result:
        try:
            return await self._found(vertex)
        except KnarrError as error:
            self._tell(vertex, error)
            raise

    def _tell(self, vertex: Vertex, error: KnarrError) -> None:
        if error not in self._told:  # an input has not said so already
            self._told.append(error)
            self._session.listener.failed(vertex, error)

    async def _found(self, vertex: Vertex) -> Result:
        match vertex.op:
            case Scratch():
                return Layered(diff_ids=())
            case Image() as image:
                diff_ids = tuple(DiffId(Digest(each)) for each in image.diff_ids)
                return Layered(diff_ids=diff_ids, time_ns=image.time_ns)
            case Context(name=name):
                return Files(tree=self._session.context(name))
            case Http() as http:
                return self._open(await self._solver.sources.http(http, self._session.secrets))
            case Git() as git:
                checkout = self._scratch / f"git-{new_hex()}"
                fetched = self._solver.sources.git(git, checkout, self._session.secrets)
                return self._open(await fetched)
            case InlineFiles() as inline:
                return Files(tree=InlineTree(inline.files), digest=vertex.digest)
            case Merge():
                return await self._merged(vertex)
        return await self._cached(vertex)

    async def _merged(self, vertex: Vertex) -> Layered:
        parts = [_layered(each) for each in await self._all(vertex.inputs)]
        merged = Layered(
            diff_ids=tuple(diff_id for part in parts for diff_id in part.diff_ids),
            time_ns=max(part.time_ns for part in parts),
            marks=parts[0].marks,
        )
        return merged.marked(vertex.digest)

    # The cache

    async def _cached(self, vertex: Vertex) -> Layered:
        anew = self._session.no_cache or vertex.digest in self._session.uncached
        key = await self._naming.definition_key(vertex)
        if not self._stands_on_new(vertex) and (found := self._cache.find(key)) is not None:
            self._session.listener.cached(vertex, found)
            return found
        if anew:
            return await self._made(vertex, key, anew=True)
        made, here = await self._solver.flights.join(
            key, lambda: self._made(vertex, key, anew=False)
        )
        if not here:
            self._session.listener.cached(vertex, made)
        return made

    def _stands_on_new(self, vertex: Vertex) -> bool:
        """Whether something in it, or itself, is to be done anew: its definition says nothing."""
        session = self._session
        if session.no_cache or not session.uncached:
            return session.no_cache
        return any(each.digest in session.uncached for each in vertex.walk())

    async def _made(self, vertex: Vertex, key: Digest, *, anew: bool) -> Layered:
        """Done, whatever the definition says, unless the contents of its inputs are known."""
        inputs = await self._all(vertex.inputs)
        base = _layered(inputs[0])
        content_key = await self._naming.content_key(vertex, inputs)
        listener = self._session.listener
        known = None if anew or self._stands_on_new(vertex) else self._cache.find(key)
        if known is None and not anew:
            known = self._cache.find_content(vertex, base, key, content_key)
        if known is not None:
            listener.cached(vertex, known)
            return known
        listener.started(vertex)
        made = await self._carried_out(vertex, base, inputs[1:])
        result = self._cache.record(vertex, base, made, key, content_key)
        listener.done(vertex, result)
        return result

    async def _carried_out(self, vertex: Vertex, base: Layered, inputs: list[Result]) -> Made:
        epoch_ns = self._session.epoch_ns
        layering = self._solver.layering
        match vertex.op:
            case Copy() as copy:
                return await self._in_thread(lambda: layering.copy(copy, base, inputs, epoch_ns))
            case MakeDirectory() as make:
                return await self._in_thread(
                    lambda: (layering.make_directory(make, base, epoch_ns), base.time_ns)
                )
            case Execute() as run:
                return Made(*await self._execute(vertex, run, base, inputs))
            case Squash():
                top = _layered(inputs[0])
                return await self._in_thread(
                    lambda: (layering.squash(base.diff_ids, top.diff_ids), top.time_ns)
                )
        raise KnarrError(f"nobody knows how to do {vertex.op.kind}")

    async def _execute(
        self, vertex: Vertex, op: Execute, base: Layered, inputs: list[Result]
    ) -> tuple[Layer | None, int]:
        def output(stream: int, chunk: bytes) -> None:
            self._session.listener.output(vertex, stream, chunk)

        layered = await self._as_layers(op, inputs)
        return await self._solver.executor.execute(op, base, layered, self._session, output)

    async def _in_thread(self, work: Callable[[], tuple[Layer | None, int]]) -> Made:
        """A thread cannot be cancelled: wait for it, and undo what it did if nobody wants it."""
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return Made(*await asyncio.shield(task))
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                self._unpin(task.result()[0])
            raise

    def _unpin(self, layer: Layer | None) -> None:
        if layer is not None:
            self._solver.layers.unpin(layer.diff_id)

    async def _as_layers(self, op: Execute, inputs: list[Result]) -> list[Layered]:
        """What is mounted has to lie somewhere: files of a context become a layer, once."""
        layered = [each if isinstance(each, Layered) else None for each in inputs]
        for mount in op.mounts:
            if not isinstance(mount, BindMount | CacheMount) or not mount.input:
                continue
            files = inputs[mount.input - 1]
            if isinstance(files, Files):
                layered[mount.input - 1] = await self._stored(files, mount.source)
        return [each or Layered(diff_ids=()) for each in layered]

    async def _stored(self, files: Files, source: str) -> Layered:
        digest = files.digest or await asyncio.to_thread(subtree_digest, files.tree, source)
        key = digest_of("files", digest, source)
        if (found := self._cache.find(key)) is not None:
            return found
        layering = self._solver.layering
        made = await self._in_thread(lambda: (layering.files(files, source), files.time_ns))
        stored = Vertex(Stored(source=source))
        return self._cache.record(stored, Layered(diff_ids=()), made, key, key)

    async def _all(self, vertices: Iterable[Vertex]) -> list[Result]:
        waiting = [asyncio.ensure_future(self.result(each)) for each in vertices]
        return list(await asyncio.gather(*waiting))


def _layered(result: Result) -> Layered:
    if isinstance(result, Files):
        raise KnarrError("files alone are nothing to build on")
    return result
