"""Images from registries and to them: the registry room's pulls and pushes, recorded here.

A layer is recorded as soon as it is unpacked, held by a lease, so that a pull which ends half-way
(or with the daemon) has not been for nothing: for a day the next one finds what is there.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from typing import Final

from knarr.content import BlobStore
from knarr.content.partial import sweep_partials
from knarr.content.rows import end_lease, end_old_leases, lease, put_blob
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import DiffId, ImageId
from knarr.image import rows
from knarr.image.events import image_event
from knarr.image.landing import Landing
from knarr.image.model import Image, LayerForm, NewImage
from knarr.image.outgoing import OutgoingImage
from knarr.image.service import ImageService
from knarr.kernel.memory import give_back
from knarr.reference import Reference
from knarr.registry import Fetched, Found, Logins, Puller, Pusher, Tell, outcome, received, told
from knarr.snapshot import Layers
from knarr.snapshot.rows import find_layer, layer_blobs, put_layer_blob
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.progress import Progress
from knarr.spec.oci.image import Platform
from knarr.spec.oci.platform import platform_of, platform_text, suits
from knarr.store import Database

_LEASE_S: Final = 24 * 3600.0
_PARTIAL_S: Final = 7 * 24 * 3600.0
_NEIGHBOURS: Final = 3  # repositories that are asked for a blob before it is sent


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

    def sweep(self) -> None:
        """At start: forget beginnings that are too old to be gone on with."""
        sweep_partials(self._blobs, _PARTIAL_S, time.time())

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
        await self._puller.fetch(found, landing, tell)
        await asyncio.to_thread(give_back)
        before = self._named(found.reference)
        image = self._record(found)
        with self._db.transaction() as tx:
            end_lease(tx, holder)
        for line in outcome(found, newer=before != image.id):
            tell(line)
        return image

    def _named(self, reference: Reference) -> ImageId | None:
        image = self._images.find(str(reference))
        return image.id if image else None

    def _record(self, found: Found) -> Image:
        reference, image = found.reference, found.image
        digested = Reference(domain=reference.domain, path=reference.path, digest=image.root.digest)
        recorded = self._images.add(
            NewImage(
                config=image.config.raw,
                tags=() if reference.digest else (reference,),
                repo_digests=(digested,),
                manifest=image.manifest.raw,
            )
        )
        with self._db.transaction() as tx:
            tx.emit(image_event("pull", recorded, reference.familiar))
        return recorded

    # -- push ------------------------------------------------------------------------------------

    def push(
        self, reference: Reference, logins: Logins, platform: Platform | None = None
    ) -> AsyncIterator[Progress]:
        """One tag, or all tags of a repository where none is given.

        platform: the only one to push; an image here is for one anyway.
        Raises NotFound in Docker's words before anything is told.
        """
        meant = self._meant(reference)
        for name, image in meant:
            if platform and suits(platform, platform_of(image.document)) != 0:
                raise NotFound(
                    f"image with reference {name.familiar} was found but does not provide the"
                    f" specified platform ({platform_text(platform)})"
                )

        async def work(tell: Tell) -> None:
            for name, image in meant:
                await self._push_one(name, image, logins, tell)

        return told(work)

    def _meant(self, reference: Reference) -> list[tuple[Reference, Image]]:
        if reference.digest:
            raise InvalidArgument("cannot push a digest reference")
        if reference.tag:
            found = self._images.find(str(reference))
            meant = [(reference, found)] if found else []
        else:
            tagged = rows.tags_of(self._db, reference.name)
            meant = [(name, self._images.get(image)) for name, image in tagged]
        if not meant:
            raise NotFound(
                f"An image does not exist locally with the tag: {reference.familiar_name}"
            )
        return meant

    async def _push_one(
        self, reference: Reference, image: Image, logins: Logins, tell: Tell
    ) -> None:
        outgoing = OutgoingImage(
            image=image,
            manifest=self._manifest(image),
            forms={each: tuple(layer_blobs(self._db, each)) for each in image.diff_ids},
            neighbours=self._neighbours(reference, image),
            blobs=self._blobs,
            layers=self._layers,
        )
        with self._layers.pinned(image.diff_ids):
            try:
                result = await self._pusher.push(reference, logins, outgoing.parcel(), tell)
            finally:
                self._keep(outgoing.made)
                outgoing.unpin()
                await asyncio.to_thread(give_back)
        self._shipped(reference, image, outgoing.shipped, result.digest)

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

    def _shipped(self, reference: Reference, image: Image, manifest: bytes, digest: str) -> None:
        """The repository knows the image now, by the digest of this manifest."""
        digested = Reference.parse(f"{reference.name}@{digest}")
        self._images.add(NewImage(config=image.raw, repo_digests=(digested,), manifest=manifest))
        with self._db.transaction() as tx:
            tx.emit(image_event("push", image, reference.familiar))


class BasePuller:
    """Pulls the images that builds stand on, as whoever asked for the build."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def pull(
        self, reference: Reference, platform: Platform, logins: Mapping[str, AuthConfig]
    ) -> AsyncIterator[Progress]:
        wanted = reference.tagged()
        found = await self._exchange.find(wanted, Logins(by_server=logins), platform)
        async with aclosing(self._exchange.pull(found)) as lines:
            async for line in lines:
                yield line
