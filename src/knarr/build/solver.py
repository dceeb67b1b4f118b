"""The solver: brings about what a vertex stands for, doing only what the cache does not have.

Each operation is looked up twice. First by its *definition*: what it says, on what, down to image
layers and the digests of context files; a hit needs nothing beneath it to be looked at. Then, when
its inputs are there, by their *content*: they may have been made anew and come out the same.
"""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from knarr.build import keys, rows
from knarr.build.execution import Executor
from knarr.build.flights import Flights
from knarr.build.graph import Vertex
from knarr.build.housekeeping import Housekeeping
from knarr.build.layering import Layering
from knarr.build.model import Files, Layered
from knarr.build.runner import Runner
from knarr.build.session import Session
from knarr.build.solving import Solving
from knarr.build.sources import Sources
from knarr.content import rows as content_rows
from knarr.errors import KnarrError
from knarr.ids import new_hex
from knarr.snapshot import ContainerLayers, Layers
from knarr.store import Database

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
        solving: Solving | None = None
        try:
            async with asyncio.TaskGroup() as group:
                solving = Solving(self, session, group, scratch)
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
