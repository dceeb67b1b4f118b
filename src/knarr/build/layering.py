"""Operations that make a layer without running anything: copy, make a directory, squash.

Synchronous and for threads: each opens what it stands on, writes one archive, and commits it.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from knarr.build.copying import Copying
from knarr.build.draft import EmptyTree, LayerDraft
from knarr.build.model import Files, Layered, Result
from knarr.build.ops import Copy, MakeDirectory
from knarr.build.owners import owner_ids
from knarr.build.selection import exactly, place
from knarr.build.squashing import squash
from knarr.build.tree import FolderTree, Tree, walk
from knarr.errors import NotFound
from knarr.ids import DiffId, new_hex
from knarr.snapshot import Layer, Layers
from knarr.snapshot.overlay import view


class Layering:
    """Makes layers; all of them are pinned until the caller has recorded them."""

    def __init__(self, layers: Layers, scratch: Path) -> None:
        self._layers = layers
        self._scratch = scratch
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)

    def copy(
        self, op: Copy, base: Layered, inputs: Sequence[Result], epoch_ns: int | None
    ) -> tuple[Layer, int]:
        """The layer, and the newest time among what it holds and stands on."""
        made_ns = max(each.time_ns for each in (base, *inputs))
        with ExitStack() as undo, self._layers.writer() as writer:
            copying = Copying(
                op,
                undo.enter_context(self._tree(base)),
                [undo.enter_context(self._tree(each)) for each in inputs],
                scratch=self._scratch,
                latest_ns=epoch_ns,
                made_ns=made_ns,
            )
            members = copying.write(writer.write)
            return writer.commit(members=members), max(made_ns, copying.newest_ns)

    def make_directory(
        self, op: MakeDirectory, base: Layered, epoch_ns: int | None
    ) -> Layer | None:
        """None where the directory was there."""
        with self._tree(base) as tree:
            draft = LayerDraft(
                tree,
                owner=owner_ids(op.owner, tree) if op.owner else (0, 0),
                latest_ns=epoch_ns,
                made_ns=base.time_ns,
            )
            if not draft.make_directories(op.path.strip("/"), op.mode):
                return None
            with self._layers.writer() as writer:
                return writer.commit(members=draft.write(writer.write))

    def files(self, files: Files, source: str) -> Layer:
        """What lies at ``source``, as a layer with the same path."""
        path = source.strip("/")
        draft = LayerDraft(EmptyTree(), made_ns=files.time_ns)
        for placed in place(files.tree, exactly(files.tree, path), path, into=False):
            if placed.path:
                draft.put(placed.path, files.tree, placed.entry, placed.entry.member)
        with self._layers.writer() as writer:
            return writer.commit(members=draft.write(writer.write))

    def whole(self, diff_ids: Sequence[DiffId]) -> Generator[bytes | memoryview]:
        """All files that these layers show, as one archive without whiteouts."""
        with self._tree(Layered(diff_ids=tuple(diff_ids))) as tree:
            draft = LayerDraft(EmptyTree())
            for entry in walk(tree, ""):
                draft.put(entry.path, tree, entry, entry.member)
            yield from draft.pieces()

    def squash(self, base: Sequence[DiffId], top: Sequence[DiffId]) -> Layer:
        """One layer that does on ``base`` what the layers of ``top`` do."""
        if tuple(top[: len(base)]) != tuple(base):
            raise NotFound("cannot squash: the image does not stand on its base")
        with self._layers.writer() as writer:
            squash(self._layers, top[len(base) :], writer.write)
            return writer.commit()

    @contextmanager
    def _tree(self, result: Result) -> Iterator[Tree]:
        if isinstance(result, Files):
            yield result.tree
            return
        if not result.diff_ids:
            yield EmptyTree()
            return
        with view(self._layers.lowers(result.diff_ids), self._scratch / new_hex()) as root:
            tree = FolderTree(root)
            try:
                yield tree
            finally:
                tree.close()
