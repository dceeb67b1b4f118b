"""Images from registries and to them: the registry room's pulls and pushes, recorded here.

A layer is recorded as soon as it is unpacked, held by a lease, so that a pull which ends half-way
(or with the daemon) has not been for nothing: for a day the next one finds what is there.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Final

from knarr.content import Blob, BlobStore
from knarr.content.rows import blob_size, end_lease, end_old_leases, lease
from knarr.ids import Digest, ImageId
from knarr.image.events import image_event
from knarr.image.landing import Landing
from knarr.image.model import Image, NewImage, NewIndex
from knarr.image.service import ImageService
from knarr.image.shipping import Shipping
from knarr.kernel.memory import give_back
from knarr.reference import Reference
from knarr.registry import (
    Attached,
    Found,
    Logins,
    Puller,
    Pusher,
    Tell,
    outcome,
    read_index,
    told,
)
from knarr.snapshot import Layers
from knarr.spec.docker.progress import Progress
from knarr.spec.oci.image import Platform
from knarr.store import Database

_LEASE_S: Final = 24 * 3600.0


class Exchange:
    """Pull and push. Lives in the loop."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        layers: Layers,
        images: ImageService,
        puller: Puller,
        pusher: Pusher,
    ) -> None:
        self._db, self._blobs, self._layers, self._images = db, blobs, layers, images
        self._puller, self._pusher = puller, pusher
        self._shipping = Shipping(db, blobs, layers, images, pusher)

    async def close(self) -> None:
        await self._puller.close()
        self._pusher.close()

    # -- pull ------------------------------------------------------------------------------------

    async def find(
        self, reference: Reference, logins: Logins, platform: Platform | None = None
    ) -> Found:
        """What a pull would bring. Raises, before anything is told, in Docker's words."""
        return await self._puller.find(reference, logins, platform)

    async def tags(self, reference: Reference, logins: Logins) -> tuple[str, ...]:
        return await self._puller.tags(reference, logins)

    def pull(self, found: Found) -> AsyncGenerator[Progress, None]:
        """Bring it here, and give it its name. Called off by closing the stream."""

        async def work(tell: Tell) -> None:
            await self.bring(found, tell)

        return told(work)

    def pull_all(
        self,
        reference: Reference,
        tags: Iterable[str],
        logins: Logins,
        platform: Platform | None,
    ) -> AsyncIterator[Progress]:
        """Several tags of one repository, one after the other."""

        async def work(tell: Tell) -> None:
            for tag in tags:
                name = Reference(domain=reference.domain, path=reference.path, tag=tag)
                await self.bring(await self.find(name, logins, platform), tell)

        return told(work)

    async def bring(self, found: Found, tell: Tell) -> Image:
        """The same for builds and others who have their own way to tell."""
        holder = f"lease/pull-{secrets.token_hex(8)}"
        landing = Landing(self._db, self._layers, holder)
        with self._db.transaction() as tx:
            end_old_leases(tx, now_ns=time.time_ns(), at_start=False)
            lease(tx, holder, seconds=_LEASE_S)
        attached = Attached()
        attaching = asyncio.create_task(self._puller.attach(found, attached))
        try:
            await self._puller.fetch(found, landing, tell)
            await attaching
            await asyncio.to_thread(give_back)
            known = self._known_as(found.reference)
            image = self._record(found, attached.whole)
        finally:
            attaching.cancel()
            await asyncio.gather(attaching, return_exceptions=True)
            for blob in attached:
                self._blobs.unpin(blob.digest)
                self._drop_unrecorded(blob.digest)
        with self._db.transaction() as tx:
            end_lease(tx, holder)
        for line in outcome(found, newer=image.id not in known):
            tell(line)
        return image

    def _known_as(self, reference: Reference) -> set[ImageId]:
        """The images that a name stands for, one for each platform."""
        if self._images.find(str(reference)) is None:
            return set()
        return {image.id for image in self._images.platforms(str(reference))}

    def _record(self, found: Found, attached: Iterable[Blob]) -> Image:
        """The image under its name; an index beside it, so that other platforms can join it."""
        reference, image = found.reference, found.image
        digested = Reference(domain=reference.domain, path=reference.path, digest=image.root.digest)
        tags = () if reference.digest else (reference,)
        index = None
        if image.root.is_index:
            index = NewIndex(
                raw=image.root.raw,
                media_type=image.root.media_type,
                images={image.manifest.digest: image.id},
                manifests=(image.manifest.raw,),
                named=tuple(Digest(each.digest) for each in read_index(image.root).manifests),
                attached=tuple(attached),
                tags=tags,
                repo_digests=(digested,),
            )
        recorded = self._images.add(
            NewImage(
                config=image.config.raw,
                tags=tags if index is None else (),
                repo_digests=(digested,) if index is None else (),
                manifest=image.manifest.raw,
            ),
            index=index,
        )
        with self._db.transaction() as tx:
            tx.emit(image_event("pull", recorded, reference.familiar))
        return recorded

    # -- push ------------------------------------------------------------------------------------

    def push(
        self, reference: Reference, logins: Logins, platform: Platform | None = None
    ) -> AsyncIterator[Progress]:
        """As Shipping.push has it."""
        return self._shipping.push(reference, logins, platform)

    def _drop_unrecorded(self, digest: Digest) -> None:
        """A blob that was there for a moment only; one that is served, too, stays."""
        if blob_size(self._db, digest) is None:
            self._blobs.discard(digest)
