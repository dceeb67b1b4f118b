"""What puts one finding right. Rows are changed in the loop, long work is done in threads."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from knarr.content import BlobStore, plain_chunks
from knarr.content.rows import blob_size, end_lease, release_blobs
from knarr.errors import Conflict, InvalidArgument, KnarrError
from knarr.ids import DiffId, Digest, ImageId
from knarr.image import ImageService, index_rows
from knarr.image import rows as image_rows
from knarr.registry.server.rows import lose_blob
from knarr.snapshot import Layers, Unpacked
from knarr.snapshot.rows import find_layer, hold_layers, release_layers
from knarr.store import Database
from knarr.upkeep.model import Finding, Remedy
from knarr.upkeep.survey import Holders, Survey

_PIECE: Final = 1 << 20
DAMAGED: Final = "damaged"


class Repairer:
    """Carries out what was judged. Raises KnarrError where it does not succeed; nothing is lost."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        layers: Layers,
        images: ImageService,
        holders: Holders,
        data_root: Path,
    ) -> None:
        self._db, self._blobs, self._layers, self._images = db, blobs, layers, images
        self._holders, self._damaged = holders, data_root / DAMAGED

    async def repair(self, finding: Finding, survey: Survey) -> None:
        diff_id = DiffId(Digest(finding.key))
        match finding.remedy:
            case Remedy.DELETE_BLOB | Remedy.DELETE_LAYER:
                self._delete(finding)
            case Remedy.COLLECT:
                self._images.collect()
            case Remedy.RELEASE:
                self._release(finding.key)
            case Remedy.FORGET_FORM | Remedy.FORGET_MANIFEST | Remedy.FORGET_SERVED:
                self._forget(Digest(finding.key))
            case Remedy.HOLD:
                image = self._images.get(ImageId(Digest(finding.key)))
                with self._db.transaction() as tx:
                    hold_layers(tx, image_rows.HOLDER + image.id, image.diff_ids)
            case Remedy.REMAKE:
                self._refuse_busy(survey, diff_id)
                await asyncio.to_thread(self._layers.remake, diff_id)
            case Remedy.RESTORE:
                await self._restore(survey, diff_id)
            case Remedy.SET_ASIDE:
                await asyncio.to_thread(self._set_aside, diff_id)
            case Remedy.NONE:
                raise KnarrError(finding.advice)

    def _delete(self, finding: Finding) -> None:
        """A file without a row; it may have got one this moment."""
        if finding.remedy is Remedy.DELETE_BLOB:
            if blob_size(self._db, Digest(finding.key)) is None:
                self._blobs.discard(Digest(finding.key))
        elif find_layer(self._db, DiffId(Digest(finding.key))) is None:
            self._layers.discard(DiffId(Digest(finding.key)))

    def _release(self, holder: str) -> None:
        with self._db.transaction() as tx:
            release_layers(tx, holder)
            release_blobs(tx, holder)
            end_lease(tx, holder)
        self._images.collect()

    def _forget(self, digest: Digest) -> None:
        """Nobody counts on this blob any more; its file, if there is one, goes with it."""
        with self._db.transaction() as tx:
            lose_blob(tx, digest)
            index_rows.lose(tx, digest)
            tx.execute("UPDATE images SET manifest = NULL WHERE manifest = ?", (digest,))
            tx.execute("DELETE FROM blob_holds WHERE digest = ?", (digest,))
            tx.execute("DELETE FROM blobs WHERE digest = ?", (digest,))  # and with it layer_blobs
        self._blobs.discard(digest)
        self._images.collect()  # what an index held

    async def _restore(self, survey: Survey, diff_id: DiffId) -> None:
        self._refuse_busy(survey, diff_id)
        whole = [each for each in survey.forms.get(diff_id, ()) if self._blobs.has(each)]
        if not whole:
            raise KnarrError("its compressed form is gone")
        await asyncio.to_thread(self._unpack_again, diff_id, whole[0])
        with self._db.transaction() as tx:
            tx.execute("UPDATE layers SET synced = 0 WHERE diff_id = ?", (diff_id,))
        self._layers.unpin(diff_id)

    def _unpack_again(self, diff_id: DiffId, digest: Digest) -> None:
        """Pinned when this returns."""
        with (
            os.fdopen(self._blobs.open(digest), "rb", buffering=0) as packed,
            self._layers.writer() as writer,
        ):
            pieces: Callable[[], bytes] = plain_chunks(lambda: packed.read(_PIECE))
            while piece := pieces():
                writer.write(piece)
            if writer.diff_id != diff_id:
                raise InvalidArgument(f"its compressed form {digest} is another layer")
            before = self._set_aside(diff_id) if self._layers.has(diff_id) else None
            writer.commit(diff_id)
        if before is not None:
            shutil.rmtree(before, ignore_errors=True)

    def _set_aside(self, diff_id: DiffId) -> Path:
        self._damaged.mkdir(mode=0o700, exist_ok=True)
        place = self._damaged / diff_id.removeprefix("sha256:")
        shutil.rmtree(place, ignore_errors=True)
        self._layers.set_aside(diff_id, place)
        return place

    def _refuse_busy(self, survey: Survey, diff_id: DiffId) -> None:
        """A running container stands on the very files of an unpacked layer."""
        if self._layers.driver_of(diff_id) != Unpacked.name:
            return
        holders = survey.layer_holders.get(diff_id, ())
        running = [each for each in holders if self._holders.runs(each)]
        if running:
            raise Conflict(f"{self._holders.name_of(running[0])} runs on it: stop it first")
