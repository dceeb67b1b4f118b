"""Images on their way to registries: which are meant, sent, and known there afterwards.

The registry room's pushes, recorded here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from knarr.content import BlobStore
from knarr.content.rows import blob_size, put_blob
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import DiffId, Digest
from knarr.image import rows
from knarr.image.events import image_event
from knarr.image.model import Image, LayerForm, NewImage, NewIndex, StoredIndex
from knarr.image.outgoing import OutgoingImage
from knarr.image.outgoing_index import OutgoingIndex, attached
from knarr.image.platforms import those_for
from knarr.image.service import ImageService
from knarr.kernel.memory import give_back
from knarr.reference import Reference
from knarr.registry import (
    Fetched,
    Logins,
    Pusher,
    Tell,
    digest_of,
    read_index,
    received,
    told,
)
from knarr.snapshot import Layers
from knarr.snapshot.rows import find_layer, layer_blobs, put_layer_blob
from knarr.spec.docker.progress import Progress
from knarr.spec.document import decode
from knarr.spec.oci.image import OCI_INDEX, Index, Platform
from knarr.spec.oci.platform import platform_of, platform_text
from knarr.store import Database

_NEIGHBOURS: Final = 3  # repositories that are asked for a blob before it is sent

Meant = tuple[Reference, list[Image], StoredIndex | None]
"""What a push sends: under this name, images of several platforms, and the index over them."""


class Shipping:
    """Push. Lives in the loop."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        layers: Layers,
        images: ImageService,
        pusher: Pusher,
    ) -> None:
        self._db, self._blobs, self._layers, self._images = db, blobs, layers, images
        self._pusher = pusher

    def push(
        self, reference: Reference, logins: Logins, platform: Platform | None = None
    ) -> AsyncIterator[Progress]:
        """One tag, or all tags of a repository where none is given.

        A name with several platforms goes with its index, where all that this names is here; else
        as the image for this machine, which is told. platform: the only one to push.
        Raises NotFound in Docker's words before anything is told.
        """
        meant = self._meant(reference, platform)

        async def work(tell: Tell) -> None:
            for name, images, index in meant:
                await self._push_one(name, images, index, logins, tell)

        return told(work)

    def _meant(self, reference: Reference, platform: Platform | None) -> list[Meant]:
        if reference.digest:
            raise InvalidArgument("cannot push a digest reference")
        names = [reference] if reference.tag else [
            name for name, _ in rows.tags_of(self._db, reference.name)]  # fmt: skip
        names = [each for each in names if self._images.find(str(each)) is not None]
        if not names:
            raise NotFound(
                f"An image does not exist locally with the tag: {reference.familiar_name}"
            )
        return [self._chosen(name, platform) for name in names]

    def _chosen(self, name: Reference, platform: Platform | None) -> Meant:
        images, index = self._images.platforms(str(name)), self._images.index(str(name))
        if platform is not None:
            return name, those_for(name.familiar, images, [platform])[:1], None
        return name, images, index

    async def _push_one(
        self,
        reference: Reference,
        images: Sequence[Image],
        index: StoredIndex | None,
        logins: Logins,
        tell: Tell,
    ) -> None:
        whole = self._whole(reference, images, index) if index is not None else None
        if index is not None and whole is None:
            tell(Progress(status=_only(images[0])))
        single = self._outgoing(reference, images[0])
        goes = [single] if whole is None else list(whole.images.values())
        parcel = single.parcel() if whole is None else whole.parcel()
        with self._layers.pinned([each for one in goes for each in one.image.diff_ids]):
            try:
                result = await self._pusher.push(reference, logins, parcel, tell)
            finally:
                for each in goes:
                    self._keep(each.made)
                    each.unpin()
                    self._drop_unrecorded(each.image.id)  # configs are kept in rows
                await asyncio.to_thread(give_back)
        self._shipped(reference, goes, whole, Digest(result.digest))

    def _outgoing(self, reference: Reference, image: Image) -> OutgoingImage:
        return OutgoingImage(
            image=image,
            manifest=self._manifest(image),
            forms={each: tuple(layer_blobs(self._db, each)) for each in image.diff_ids},
            neighbours=self._neighbours(reference, image),
            blobs=self._blobs,
            layers=self._layers,
        )

    def _whole(
        self, reference: Reference, images: Sequence[Image], index: StoredIndex
    ) -> OutgoingIndex | None:
        """The index with all that it names. None where something of that is not here."""
        if not self._blobs.has(index.digest):
            return None
        raw = received(
            self._blobs.read(index.digest), index.media_type, index.digest, str(reference)
        )
        document = read_index(raw)
        others = attached(index, document, self._blobs)
        if others is None:
            return None
        by_id = {image.id: image for image in images}
        outgoing: dict[Digest, OutgoingImage] = {}
        for entry in document.manifests:
            if (image_id := index.images.get(Digest(entry.digest))) is None:
                continue
            one = self._outgoing(reference, by_id[image_id])
            one.oci = raw.media_type == OCI_INDEX
            if self._blobs.has(Digest(entry.digest)):  # not by the last manifest of another name
                stored = self._blobs.read(Digest(entry.digest))
                one.manifest = received(stored, entry.media_type, entry.digest, str(reference))
            outgoing[Digest(entry.digest)] = one
        return OutgoingIndex(index=raw, images=outgoing, attached=others)

    def _manifest(self, image: Image) -> Fetched | None:
        """What it came with, where that is here and is a manifest that a registry takes."""
        if image.manifest is None or not self._blobs.has(image.manifest):
            return None
        found = received(self._blobs.read(image.manifest), "", None, image.id)
        return None if found.is_index else found

    def _neighbours(self, reference: Reference, image: Image) -> dict[DiffId, tuple[str, ...]]:
        """Repositories of the same registry with images that share layers with this one."""
        found: dict[DiffId, dict[str, None]] = {each: {} for each in image.diff_ids}
        for other in rows.every(self._db):
            shared = found.keys() & set(other.diff_ids)
            for known in other.repo_digests:
                if known.domain == reference.domain and known.path != reference.path:
                    for diff_id in shared:
                        found[diff_id][known.path] = None
        return {each: tuple(names)[:_NEIGHBOURS] for each, names in found.items()}

    def _keep(self, made: Iterable[LayerForm]) -> None:
        """What was packed for this push serves the next one too."""
        with self._db.transaction() as tx:
            for form in made:
                if find_layer(self._db, form.diff_id) is not None:
                    put_blob(tx, form.blob)
                    put_layer_blob(tx, form.diff_id, form.blob.digest, form.media_type)

    def _drop_unrecorded(self, digest: Digest) -> None:
        """A blob that was there for a moment only; one that is served, too, stays."""
        if blob_size(self._db, digest) is None:
            self._blobs.discard(digest)

    def _shipped(
        self,
        reference: Reference,
        sent: Sequence[OutgoingImage],
        whole: OutgoingIndex | None,
        digest: Digest,
    ) -> None:
        """The repository knows the image now, by the digest of this manifest or index."""
        digested = Reference(domain=reference.domain, path=reference.path, digest=digest)
        for each in sent:
            names = (digested,) if whole is None else ()
            self._images.add(
                NewImage(config=each.image.raw, repo_digests=names, manifest=each.shipped)
            )
        if whole is not None:
            self._images.add_index(
                NewIndex(
                    raw=whole.shipped,
                    media_type=decode(whole.shipped, Index).media_type or whole.index.media_type,
                    images={digest_of(each.shipped): each.image.id for each in sent},
                    manifests=tuple(each.shipped for each in sent),
                    tags=(reference,) if self._stands_for(reference, whole) else (),
                    repo_digests=(digested,),
                    attached=whole.kept(),
                )
            )
        with self._db.transaction() as tx:
            tx.emit(image_event("push", sent[0].image, reference.familiar))

    def _stands_for(self, reference: Reference, whole: OutgoingIndex) -> bool:
        """Whether the name still leads to what was sent; it may have been moved meanwhile."""
        index = self._images.index(str(reference))
        return index is not None and index.digest == whole.index.digest


def _only(image: Image) -> str:
    text = platform_text(platform_of(image.document))
    return f"Not all platforms of this image are here: only {text} is pushed, without the index"
