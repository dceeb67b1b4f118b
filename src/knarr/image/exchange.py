"""Images from registries and to them: the registry room's pulls and pushes, recorded here.

A layer is recorded as soon as it is unpacked, held by a lease, so that a pull which ends half-way
(or with the daemon) has not been for nothing: for a day the next one finds what is there.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from knarr.content import Blob, BlobStore
from knarr.content.partial import sweep_partials
from knarr.content.rows import blob_size, end_lease, end_old_leases, lease, put_blob
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import DiffId, Digest, ImageId
from knarr.image import rows
from knarr.image.events import image_event
from knarr.image.landing import Landing
from knarr.image.model import Image, LayerForm, NewImage, NewIndex, StoredIndex
from knarr.image.outgoing import OutgoingImage
from knarr.image.outgoing_index import OutgoingIndex, attached
from knarr.image.platforms import those_for
from knarr.image.service import ImageService
from knarr.kernel.memory import give_back
from knarr.reference import Reference
from knarr.registry import (
    Attached,
    Fetched,
    Found,
    Logins,
    Puller,
    Pusher,
    Tell,
    digest_of,
    outcome,
    read_index,
    received,
    told,
)
from knarr.snapshot import Layers
from knarr.snapshot.rows import find_layer, layer_blobs, put_layer_blob
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.progress import Progress
from knarr.spec.document import decode
from knarr.spec.oci.image import Index, Platform
from knarr.spec.oci.platform import platform_of, platform_text
from knarr.store import Database

_LEASE_S: Final = 24 * 3600.0
_PARTIAL_S: Final = 7 * 24 * 3600.0
_NEIGHBOURS: Final = 3  # repositories that are asked for a blob before it is sent

Meant = tuple[Reference, list[Image], StoredIndex | None]
"""What a push sends: under this name, images of several platforms, and the index over them."""


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
                    tags=(reference,),
                    repo_digests=(digested,),
                    attached=whole.kept(),
                )
            )
        with self._db.transaction() as tx:
            tx.emit(image_event("push", sent[0].image, reference.familiar))


def _only(image: Image) -> str:
    text = platform_text(platform_of(image.document))
    return f"Not all platforms of this image are here: only {text} is pushed, without the index"


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
