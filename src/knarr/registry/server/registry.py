"""The verbs of a registry that serves: repositories over the content store.

Whether somebody may do it was decided before, by the application; here it is done, in short
transactions of the loop. A failure is a Problem with a code of the specification's.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from knarr.content import Blob, BlobStore
from knarr.content.rows import forget_unheld_blobs
from knarr.ids import Digest
from knarr.registry.manifests import Fetched
from knarr.registry.server import rows
from knarr.registry.server.manifests import Judged, pushed
from knarr.registry.server.problems import Problem
from knarr.registry.server.uploads import Upload, Uploads
from knarr.spec.oci.image import Descriptor
from knarr.store import Database

_TOUCH_NS: Final = 3600 * 10**9  # a blob that was asked for within the hour is young enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A manifest that was taken. ``subject``: the manifest that it is about."""

    manifest: Fetched
    subject: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection has freed."""

    manifests: int
    blobs: int
    size_bytes: int


class Registry:
    """One registry's contents. Lives in the loop."""

    def __init__(
        self, db: Database, blobs: BlobStore, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.db, self._blobs, self._clock_ns = db, blobs, clock_ns
        self._uploads = Uploads(blobs)

    def close(self) -> None:
        self._uploads.close()

    # -- blobs -----------------------------------------------------------------------------------

    def blob_size(self, name: str, digest: Digest, *, for_push: bool = False) -> int:
        """Bytes of a blob. for_push: it will be named by a manifest soon, and is kept for that."""
        size = rows.linked_size(self.db, name, digest)
        if size is None:
            raise Problem("BLOB_UNKNOWN", detail={"digest": digest})
        if for_push:
            with self.db.transaction() as tx:
                rows.touch_blob(tx, name, digest, self._clock_ns())
        return size

    def open_blob(self, name: str, digest: Digest) -> tuple[int, int]:
        """A descriptor to read from, and the blob's size in bytes."""
        size = self.blob_size(name, digest)
        return self._blobs.open(digest), size

    def delete_blob(self, name: str, digest: Digest) -> None:
        with self.db.transaction() as tx:
            if not rows.unlink_blob(tx, name, digest):
                raise Problem("BLOB_UNKNOWN", detail={"digest": digest})

    # -- uploads ---------------------------------------------------------------------------------

    def begin_upload(self, name: str) -> Upload:
        return self._uploads.begin(name)

    def upload(self, name: str, session: str) -> Upload:
        return self._uploads.find(name, session)

    async def finish_upload(self, upload: Upload, digest: Digest) -> None:
        """What was uploaded is a blob of the repository, when it has this digest."""
        try:
            blob = await upload.commit(digest)
        finally:
            self._uploads.forget(upload)
        try:
            self.link(upload.name, blob)
        finally:
            self._blobs.unpin(blob.digest)

    def cancel_upload(self, upload: Upload) -> None:
        self._uploads.forget(upload)

    def mount(self, name: str, digest: Digest, source: str) -> bool:
        """The blob of another repository is one of this one too. False where there is none."""
        size = rows.linked_size(self.db, source, digest)
        if size is None:
            return False
        self.link(name, Blob(digest=digest, size_bytes=size))
        return True

    def link(self, name: str, blob: Blob) -> None:
        with self.db.transaction() as tx:
            rows.link_blob(tx, name, blob, self._clock_ns())

    # -- manifests -------------------------------------------------------------------------------

    def manifest(self, name: str, reference: str) -> Descriptor:
        """Of a tag or a digest."""
        if not reference.startswith("sha256:"):
            tagged = rows.tagged(self.db, name, reference)
            if tagged is None:
                raise self._unknown(name, reference)
            return Descriptor(
                media_type=tagged.media_type, digest=tagged.digest, size=tagged.size_bytes
            )
        found = rows.manifest(self.db, name, Digest(reference))
        if found is None:
            raise self._unknown(name, reference)
        return found

    def read(self, descriptor: Descriptor) -> bytes:
        """The bytes of a manifest or a config."""
        return self._blobs.read(Digest(descriptor.digest))

    def put_manifest(
        self, name: str, reference: str, raw: bytes, content_type: str, tags: Sequence[str] = ()
    ) -> Stored:
        """Take a manifest whose parts are all there; ``tags`` beside the reference, if that is one.

        Tag and manifest are there in one moment or not at all.
        """
        manifest, judged = pushed(raw, content_type, reference)
        names = tags if reference.startswith("sha256:") else (reference, *tags)
        self.store_manifest(name, manifest, judged, names)
        return Stored(manifest=manifest, subject=judged.subject)

    def store_manifest(
        self,
        name: str,
        manifest: Fetched,
        judged: Judged,
        tags: Sequence[str],
        *,
        whole: bool = True,
    ) -> None:
        """whole: refuse it while something that it names is missing; a cache fetches that later."""
        now_ns = self._clock_ns()
        self._blobs.put(manifest.raw, manifest.digest)
        try:
            with self.db.transaction() as tx:
                if whole and (missing := rows.missing_parts(tx, name, judged)):
                    raise Problem("MANIFEST_BLOB_UNKNOWN", detail={"digest": missing[0]})
                rows.put_manifest(tx, name, manifest, judged, now_ns)
                for tag in tags:
                    rows.put_tag(tx, name, tag, manifest.digest, now_ns)
        finally:
            self._blobs.unpin(manifest.digest)

    def delete_manifest(self, name: str, reference: str) -> None:
        """A tag alone, or a manifest with all its tags."""
        with self.db.transaction() as tx:
            if reference.startswith("sha256:"):
                gone = rows.delete_manifest(tx, name, Digest(reference))
            else:
                gone = rows.delete_tag(tx, name, reference)
        if not gone:
            raise self._unknown(name, reference)

    def _unknown(self, name: str, reference: str) -> Problem:
        kind = "Digest" if reference.startswith("sha256:") else "Tag"
        return Problem("MANIFEST_UNKNOWN", detail={"Name": name, kind: reference})

    # -- lists -----------------------------------------------------------------------------------

    def tags(self, name: str, after: str, limit: int) -> list[str]:
        if not rows.has_repository(self.db, name):
            raise Problem("NAME_UNKNOWN", detail={"name": name})
        return rows.tags(self.db, name, after, limit)

    def referrers(self, name: str, subject: Digest) -> list[Descriptor]:
        return rows.referrers(self.db, name, subject)

    # -- collection ------------------------------------------------------------------------------

    def collect(self, *, young_s: float, untagged_s: float | None = None) -> Collected:
        """Delete what nothing leads to; while everything goes on.

        young_s: blobs pushed or asked for within so many seconds are left alone: the manifest that
        names them may be on its way.
        untagged_s: manifests that have had no tag for so long go too; None keeps them.
        """
        now_ns = self._clock_ns()
        untagged = 0
        if untagged_s is not None:
            old = list(rows.manifests_without_tag(self.db, now_ns - round(untagged_s * 1e9)))
            with self.db.transaction() as tx:
                untagged = sum(rows.delete_manifest(tx, name, digest) for name, digest in old)
        with self.db.transaction() as tx:
            rows.unlink_unnamed_blobs(tx, now_ns - round(young_s * 1e9))
            rows.release_unlinked(tx)
            freed = forget_unheld_blobs(tx)
        for blob in freed:
            self._blobs.discard(blob.digest)
        return Collected(
            manifests=untagged, blobs=len(freed), size_bytes=sum(each.size_bytes for each in freed)
        )
