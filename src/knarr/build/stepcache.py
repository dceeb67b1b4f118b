"""What the cache has of operations, for one build: looked up, held while it lasts, added to."""

from collections.abc import Sequence

from knarr.build import rows
from knarr.build.graph import Vertex
from knarr.build.model import Layered, Made, NewRecord
from knarr.build.session import Session
from knarr.ids import DiffId, Digest
from knarr.snapshot import Layers
from knarr.snapshot import rows as layer_rows
from knarr.store import Database, Transaction


class StepCache:
    """The cache's records, as far as the build may believe them."""

    def __init__(self, db: Database, layers: Layers, session: Session) -> None:
        self._db = db
        self._layers = layers
        self._session = session

    def find(self, key: Digest) -> Layered | None:
        """The result that the key leads to, if its layers are still there."""
        record = rows.find(self._db, key)
        if record is None or not self._is_good(record.diff_ids):
            return None
        with self._db.transaction() as tx:
            rows.used(tx, record.id)
            self._hold(tx, record.diff_ids)
        return record.result

    def find_content(
        self, vertex: Vertex, base: Layered, key: Digest, content_key: Digest
    ) -> Layered | None:
        """The same by what the inputs came to; from now on the definition leads there, too."""
        record = rows.find(self._db, content_key)
        if record is None or not self._is_good(record.diff_ids):
            return None
        found = Layered(diff_ids=record.diff_ids, time_ns=record.time_ns, marks=base.marks)
        found = found.marked(vertex.digest)
        with self._db.transaction() as tx:
            rows.used(tx, record.id)
            rows.add_key(tx, record.id, key, found.marks)
            self._hold(tx, found.diff_ids)
        return found

    def _is_good(self, diff_ids: tuple[DiffId, ...]) -> bool:
        """Whether the layers are still there, and those of an image that is trusted."""
        trusted = self._session.trusted
        return all(self._layers.has(each) for each in diff_ids) and (
            trusted is None or any(image[: len(diff_ids)] == diff_ids for image in trusted)
        )

    def _hold(self, tx: Transaction, diff_ids: Sequence[DiffId]) -> None:
        """So that no prune takes away, in the middle of a build, what it has been given."""
        if self._session.lease:
            layer_rows.hold_layers(tx, self._session.lease, diff_ids)

    def record(
        self, vertex: Vertex, base: Layered, made: Made, key: Digest, content_key: Digest
    ) -> Layered:
        """What an operation came to, from now on to be found by both keys; it is unpinned here."""
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
            with self._db.transaction() as tx:
                rows.put(tx, new)
                self._hold(tx, result.diff_ids)
        finally:
            if made.layer is not None:
                self._layers.unpin(made.layer.diff_id)
        return result
