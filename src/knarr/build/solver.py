"""The solver: brings about what a vertex stands for, doing only what the cache does not have.

Each operation is looked up twice. First by its *definition*: what it says, on what, down to image
layers and the digests of context files; a hit needs nothing beneath it to be looked at. Then, when
its inputs are there, by their *content*: they may have been made anew and come out the same.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knarr.build import keys, rows
from knarr.build.copying import selection_digest, subtree_digest
from knarr.build.execution import Executor
from knarr.build.flights import Flights
from knarr.build.graph import Vertex, digest_of
from knarr.build.housekeeping import Housekeeping
from knarr.build.inline import InlineTree
from knarr.build.layering import Layering
from knarr.build.model import Files, Layered, NewRecord, Result
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
from knarr.build.runner import Runner
from knarr.build.session import Session
from knarr.build.sources import Sources, known_digest
from knarr.build.tree import FolderTree
from knarr.content import rows as content_rows
from knarr.errors import KnarrError, NotFound
from knarr.ids import DiffId, Digest, new_hex
from knarr.snapshot import ContainerLayers, Layer, Layers
from knarr.snapshot import rows as layer_rows
from knarr.store import Database, Transaction

_SECOND_NS: Final = 1_000_000_000


class Solver:
    """One for the daemon: builds that run at the same time share what they do."""

    def __init__(
        self,
        db: Database,
        layers: Layers,
        containers: ContainerLayers,
        runner: Runner,
        cache: Housekeeping,
        data_root: Path,
        run_root: Path,
    ) -> None:
        folder = data_root / "build"
        self.scratch = folder / "tmp"
        shutil.rmtree(self.scratch, ignore_errors=True)  # of a daemon that was cut off
        self.scratch.mkdir(mode=0o700, parents=True)
        self.db = db
        self.layers = layers
        self.layering = Layering(layers, self.scratch)
        self.sources = Sources(folder)
        self.executor = Executor(
            layers, containers, runner, cache.cache_mounts, run_root, self.scratch
        )
        self.flights: Flights[Layered] = Flights()
        self.cache = cache

    async def solve(self, vertex: Vertex, session: Session) -> Layered:
        """The file system that ``vertex`` stands for. Its layers are held by the cache.

        Raises what the first operation to fail raised; the others are cancelled then.
        """
        scratch = self.scratch / new_hex()
        scratch.mkdir(mode=0o700)
        solving: _Solving | None = None
        try:
            async with asyncio.TaskGroup() as group:
                solving = _Solving(self, session, group, scratch)
                result = await solving.result(vertex)
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            if solving is not None:
                solving.close()
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        if isinstance(result, Files):
            raise KnarrError("a build ends with a file system, not with files")
        return result

    @contextmanager
    def leased(self) -> Iterator[str]:
        """The name of a lease for the length of a block: what a session holds under it stays."""
        lease = f"lease/build/{new_hex()}"
        with self.db.transaction() as tx:
            content_rows.lease(tx, lease)
        try:
            yield lease
        finally:
            with self.db.transaction() as tx:
                content_rows.end_lease(tx, lease)

    def recall(self, vertex: Vertex, inputs: keys.Inputs) -> Layered | None:
        """What the cache has of an operation with these inputs. Nothing is done for it."""
        record = rows.find(self.db, keys.key_of(vertex.op, inputs))
        return record.result if record else None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            return _first(failure)
        return failure
    return failures


@dataclass(frozen=True, slots=True)
class _Made:
    """What an operation came to: a layer that is pinned and not yet recorded, or no change."""

    layer: Layer | None
    time_ns: int


class _Solving:
    """One call of ``solve``: each vertex is a task, started when it is first asked for."""

    def __init__(
        self, solver: Solver, session: Session, group: asyncio.TaskGroup, scratch: Path
    ) -> None:
        self._solver = solver
        self._session = session
        self._group = group
        self._scratch = scratch
        self._results: dict[Digest, asyncio.Task[Result]] = {}
        self._inputs: dict[Digest, keys.Inputs] = {}
        self._naming: Flights[keys.Inputs] = Flights()
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
                return self._context(name)
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

    def _context(self, name: str) -> Files:
        tree = self._session.contexts.get(name)
        if tree is None:
            raise NotFound(f"no {'build context' if name == 'context' else f'context {name}'}")
        return Files(tree=tree)

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
        key = await self._definition_key(vertex)
        if not self._stands_on_new(vertex) and (found := self._look_up(key)) is not None:
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

    def _look_up(self, key: Digest) -> Layered | None:
        """The result that the key leads to, if its layers are still there."""
        record = rows.find(self._solver.db, key)
        if record is None or not self._is_good(record.diff_ids):
            return None
        with self._solver.db.transaction() as tx:
            rows.used(tx, record.id)
            self._hold(tx, record.diff_ids)
        return record.result

    def _look_up_content(
        self, vertex: Vertex, base: Layered, key: Digest, content_key: Digest
    ) -> Layered | None:
        """The same by what the inputs came to; from now on the definition leads there, too."""
        record = rows.find(self._solver.db, content_key)
        if record is None or not self._is_good(record.diff_ids):
            return None
        found = Layered(diff_ids=record.diff_ids, time_ns=record.time_ns, marks=base.marks)
        found = found.marked(vertex.digest)
        with self._solver.db.transaction() as tx:
            rows.used(tx, record.id)
            rows.add_key(tx, record.id, key, found.marks)
            self._hold(tx, found.diff_ids)
        return found

    def _is_good(self, diff_ids: tuple[DiffId, ...]) -> bool:
        """Whether the layers are still there, and those of an image that is trusted."""
        trusted = self._session.trusted
        return all(self._solver.layers.has(each) for each in diff_ids) and (
            trusted is None or any(image[: len(diff_ids)] == diff_ids for image in trusted)
        )

    def _hold(self, tx: Transaction, diff_ids: Sequence[DiffId]) -> None:
        """So that no prune takes away, in the middle of a build, what it has been given."""
        if self._session.lease:
            layer_rows.hold_layers(tx, self._session.lease, diff_ids)

    async def _made(self, vertex: Vertex, key: Digest, *, anew: bool) -> Layered:
        """Done, whatever the definition says, unless the contents of its inputs are known."""
        inputs = await self._all(vertex.inputs)
        base = _layered(inputs[0])
        content_key = await self._content_key(vertex, inputs)
        listener = self._session.listener
        known = None if anew or self._stands_on_new(vertex) else self._look_up(key)
        if known is None and not anew:
            known = self._look_up_content(vertex, base, key, content_key)
        if known is not None:
            listener.cached(vertex, known)
            return known
        listener.started(vertex)
        made = await self._carried_out(vertex, base, inputs[1:])
        result = self._recorded(vertex, base, made, key, content_key)
        listener.done(vertex, result)
        return result

    def _recorded(
        self, vertex: Vertex, base: Layered, made: _Made, key: Digest, content_key: Digest
    ) -> Layered:
        added = (made.layer.diff_id,) if made.layer else ()
        result = Layered(
            diff_ids=(*base.diff_ids, *added), time_ns=made.time_ns, marks=base.marks
        ).marked(vertex.digest)
        new = NewRecord(
            kind=vertex.op.kind,
            description=vertex.op.describe(),
            below=base.diff_ids,
            layer=made.layer,
            time_ns=made.time_ns,
            key=key,
            content_key=content_key,
            marks=result.marks,
        )
        try:
            with self._solver.db.transaction() as tx:
                rows.put(tx, new)
                self._hold(tx, result.diff_ids)
        finally:
            self._unpin(made.layer)
        return result

    async def _carried_out(self, vertex: Vertex, base: Layered, inputs: list[Result]) -> _Made:
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
                return _Made(*await self._execute(vertex, run, base, inputs))
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

    async def _in_thread(self, work: Callable[[], tuple[Layer | None, int]]) -> _Made:
        """A thread cannot be cancelled: wait for it, and undo what it did if nobody wants it."""
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return _Made(*await asyncio.shield(task))
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
        if (found := self._look_up(key)) is not None:
            return found
        layering = self._solver.layering
        made = await self._in_thread(lambda: (layering.files(files, source), files.time_ns))
        stored = Vertex(Stored(source=source))
        return self._recorded(stored, Layered(diff_ids=()), made, key, key)

    async def _all(self, vertices: Iterable[Vertex]) -> list[Result]:
        waiting = [asyncio.ensure_future(self.result(each)) for each in vertices]
        return list(await asyncio.gather(*waiting))

    # Keys

    async def _definition_key(self, vertex: Vertex) -> Digest:
        match vertex.op:
            case Scratch() | Image() | InlineFiles():
                return vertex.digest
            case Http() | Git():
                return known_digest(await self.result(vertex))
            case Context():
                return vertex.digest  # whoever uses it adds the digest of what it uses
            case Merge():
                below = [await self._definition_key(each) for each in vertex.inputs]
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
                named[_input_name(number, each)] = await self._definition_key(each)
        try:
            named |= await self._context_digests(vertex)
        except KnarrError as error:  # found when a later step was named, but this one's own
            self._tell(vertex, error)
            raise
        if self._session.epoch_ns is not None:
            named["SOURCE_DATE_EPOCH"] = str(self._session.epoch_ns // _SECOND_NS)
        self._session.listener.keyed(vertex, named)
        return named

    async def _content_key(self, vertex: Vertex, inputs: list[Result]) -> Digest:
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
                tree = self._context(source.name).tree
                digests[f"files {number}"] = await asyncio.to_thread(
                    selection_digest, tree, op, selection
                )
        for mount in op.mounts if isinstance(op, Execute) else ():
            source = vertex.inputs[mount.input].op if isinstance(mount, BindMount) else op
            if isinstance(source, Context) and isinstance(mount, BindMount):
                tree = self._context(source.name).tree
                digests[f"files {mount.target}"] = await asyncio.to_thread(
                    subtree_digest, tree, mount.source
                )
        return digests


def _layered(result: Result) -> Layered:
    if isinstance(result, Files):
        raise KnarrError("files alone are nothing to build on")
    return result


def _input_name(number: int, vertex: Vertex) -> str:
    return keys.BASE if number == 0 else f"source {number} ({vertex.op.describe()})"
