"""The verbs of images. What only archives and a look into images need is loaded by then."""

from __future__ import annotations

import asyncio
import builtins
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from knarr.content import BlobStore
from knarr.content import rows as content_rows
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import DiffId, ImageId
from knarr.image import index_rows, rows
from knarr.image.annotations import Annotations
from knarr.image.catalogue import Catalogue
from knarr.image.events import image_event
from knarr.image.filters import Filters
from knarr.image.model import Image, ImageUsers, NewImage, NewIndex, StoredIndex
from knarr.image.platforms import made_index, those_for
from knarr.image.removing import Removing
from knarr.image.showing import Showing
from knarr.later import Later
from knarr.reference import Reference
from knarr.snapshot import Layers
from knarr.snapshot import rows as layer_rows
from knarr.spec.docker.image import (
    ImageDeleted,
    ImageHistoryItem,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
)
from knarr.spec.docker.progress import Progress
from knarr.spec.knarr.image import StoreShare
from knarr.spec.oci.image import ImageDocument, Platform
from knarr.store import Database

if TYPE_CHECKING:
    from knarr.image.archives import Archives
    from knarr.image.bootstrap import Bootstrap
    from knarr.image.imported import Import
    from knarr.image.looking import Looking
    from knarr.image.sharing import NameOf


class ImageService:
    """Images by name, digest and ID. Synchronous verbs are short and run in the daemon's loop."""

    def __init__(self, db: Database, blobs: BlobStore, layers: Layers, users: ImageUsers) -> None:
        self._db = db
        self._blobs = blobs
        self._layers = layers
        self._users = users
        self._catalogue = Catalogue(db)
        self._archives = Later(self._build_archives)
        self._showing = Showing(db, blobs, layers, users, self._catalogue)
        self._removing = Removing(db, layers, users, self._catalogue, self._showing, self.collect)
        self._looking = Later(self._build_looking)

    def _build_archives(self) -> Archives:
        from knarr.image.archives import Archives

        return Archives(self._db, self._blobs, self._layers, self._catalogue)

    def _build_looking(self) -> Looking:
        from knarr.image.looking import Looking

        return Looking(self._layers, self._catalogue)

    @property
    def looking(self) -> Looking:
        """A look into images."""
        return self._looking()

    def resolve(self, ref: str) -> Image:
        """The image called by name, name@digest, ID or unique ID prefix.

        Raises NotFound (``No such image: x:latest``), InvalidArgument for what can be no name.
        """
        return self._catalogue.resolve(ref)

    def find(self, ref: str, platform: Platform | None = None) -> Image | None:
        """As ``resolve``, but None where there is no such image.

        platform: of an image with several the one that suits it best; None where that is not here.
        An image with one is found whatever it is for.
        """
        try:
            if platform is None or self._catalogue.index(ref) is None:
                return self._catalogue.resolve(ref)
            return self._catalogue.of_platform(ref, platform)
        except NotFound:
            return None

    def platforms(self, ref: str) -> builtins.list[Image]:
        """One image for each platform of that name that is here, this machine's first.

        Raises NotFound, InvalidArgument.
        """
        return self._catalogue.platforms(ref)

    def index(self, ref: str) -> StoredIndex | None:
        """The index that a name stands for; None where it is an image of one platform."""
        return self._catalogue.index(ref)

    def get(self, image: ImageId) -> Image:
        """By its whole ID. Raises NotFound."""
        return self._catalogue.get(image)

    def beginnings(self, among: Sequence[Image] | None = None) -> Callable[[ImageDocument], bool]:
        """Whether an image came by the same steps, and perhaps others after; None: any here now."""
        known = [image.document for image in (rows.every(self._db) if among is None else among)]
        return lambda asked: any(_begins_with(each, asked) for each in known)

    # -- showing -----------------------------------------------------------------------------

    def descendants(self, image: ImageId) -> frozenset[ImageId]:
        """The image and all that were built or committed upon it, here."""
        found, waiting = {image}, [image]
        while waiting:
            new = set(rows.children_of(self._db, waiting.pop())) - found
            found |= new
            waiting += new
        return frozenset(found)

    def list(
        self,
        filters: Filters,
        *,
        everything: bool = False,
        shared_size: bool = False,
        manifests: bool = False,
    ) -> tuple[ImageSummary, ...]:
        """Newest first; a name's platforms are one image here.

        Filters: dangling, label, label!, before, since, reference, until.
        everything: intermediate images too, which have no name and children.
        manifests: tell the platforms of each, and which containers stand on them.
        """
        return self._showing.list(
            filters, everything=everything, shared_size=shared_size, manifests=manifests
        )

    def inspect(
        self, ref: str, *, platform: Platform | None = None, manifests: bool = False
    ) -> ImageInspect:
        """Raises NotFound, also where the image is not here for that platform."""
        image = self.of_platform(ref, platform)
        return self._showing.inspect(ref, image, manifests=manifests, one=platform is not None)

    def of_platform(self, ref: str, *platforms: Platform | None) -> Image:
        """The image of that name for one of these platforms.

        None, or no platform at all, is this machine's, or any. Raises NotFound in Docker's words.
        """
        offered = self._catalogue.platforms(ref)
        wanted = [each for each in platforms if each is not None]
        return those_for(ref, offered, wanted)[0]

    def history(
        self, ref: str, *, platform: Platform | None = None
    ) -> tuple[ImageHistoryItem, ...]:
        """Newest step first."""
        return self._showing.history(self.of_platform(ref, platform))

    def sharing(self, name_of: NameOf) -> StoreShare:
        """What shares what, and what removing it would free."""
        from knarr.image.sharing import explained, facts

        return explained(facts(self._db), self._users, name_of)

    def families(self) -> dict[ImageId, frozenset[ImageId]]:
        """For each image that names with several platforms lead to: all of these, with itself."""
        return self._showing.families()

    def layers_bytes(self) -> int:
        """Of all layers here, each counted once."""
        return sum(self._showing.layer_sizes().values())

    # -- naming ------------------------------------------------------------------------------

    def tag(self, ref: str, repository: str, tag: str = "") -> None:
        """Another name for the image and its platforms; a name that led elsewhere is moved."""
        image, index = self.resolve(ref), self._catalogue.index(ref)
        name = new_name(repository, tag)
        with self._db.transaction() as tx:
            rows.put_tag(tx, name, image.id, index.digest if index else None)
            index_rows.forget_unnamed(tx)
            tx.emit(image_event("tag", image, name.familiar))

    def add(self, new: NewImage, *actions: str, index: NewIndex | None = None) -> Image:
        """Record an image whose layers are stored, and give it its names.

        ``actions`` are the events to tell, ``load`` or ``import``. The caller unpins afterwards.
        index: of which it is one platform. Raises InvalidArgument where a layer of it is neither
        new nor known.
        """
        manifest = self._blobs.put(new.manifest) if new.manifest else None
        try:
            with self._db.transaction() as tx:
                rows.record(tx, new, manifest)
                index_rows.forget_unnamed(tx)
                image = self.get(new.id)
                for action in actions:
                    tx.emit(image_event(action, image, image.id))
        finally:
            if manifest is not None:
                self._blobs.unpin(manifest.digest)
        if index is not None:
            self.add_index(index)
        return image

    def add_index(self, new: NewIndex) -> Image:
        """Record an index with its names, beside those of its images that are here.

        Its names then stand for all its platforms. A second index of the same bytes adds its images
        to what is there. Returns the image that the names lead to where no platform is asked for.
        """
        stored = self._blobs.put(new.raw)
        manifests = [self._blobs.put(each) for each in new.manifests]
        try:
            with self._db.transaction() as tx:
                index_rows.record(tx, new, stored, manifests)
                leader = index_rows.lead(tx, stored.digest)
        finally:
            for blob in (stored, *manifests):
                self._blobs.unpin(blob.digest)
        assert leader is not None  # it was recorded with an image at least
        return self.get(leader)

    def add_platforms(
        self,
        tags: Sequence[Reference],
        images: Sequence[ImageId],
        annotations: Annotations | None = None,
    ) -> Image:
        """Make an index of images that were made here, one for each platform, and name it.

        For builds with several platforms: first ``add`` each image, without a name, then call this
        with their IDs in the order that was asked for. A push packs their layers and sends the
        whole, ``save`` writes all of them, ``run --platform`` takes one.
        """
        here = [self.get(each) for each in images]
        parts = [(each, self._catalogue.layers(each)) for each in here]
        return self.add_index(made_index(parts, tags, annotations or Annotations()))

    # -- removing ----------------------------------------------------------------------------

    async def remove(
        self,
        ref: str,
        *,
        force: bool = False,
        no_prune: bool = False,
        platforms: Sequence[Platform] = (),
    ) -> tuple[ImageDeleted, ...]:
        """Untag, and delete the image with its last name. Raises Conflict in Docker's words.

        no_prune: parents without a name stay. platforms: only these of an image with several;
        raises NotFound where it has none of them. Files are gone when this returns.
        """
        if platforms:
            self.of_platform(ref, *platforms)
        return await self._removing.remove(
            ref, force=force, prune=not no_prune, platforms=platforms
        )

    async def prune(self, filters: Filters) -> ImagesPruned:
        """Delete images without a name, or with ``dangling=false`` all without a container."""
        return await self._removing.prune(filters)

    def collect(self) -> set[DiffId]:
        """Take away layers and blobs that nobody holds; returns the layers.

        Quick: directories are moved aside, ``empty_trash`` of the layer store deletes them.
        """
        with self._db.transaction() as tx:
            freed = layer_rows.forget_unheld_layers(tx)
            blobs = content_rows.forget_unheld_blobs(tx)
        for layer in freed:
            self._layers.discard(layer.diff_id)
        for blob in blobs:
            self._blobs.discard(blob.digest)
        return {layer.diff_id for layer in freed}

    async def empty_trash(self) -> None:
        """Delete the files of what ``collect`` took away."""
        await asyncio.to_thread(self._layers.empty_trash)

    # -- archives ----------------------------------------------------------------------------

    def load(
        self,
        source: AsyncIterator[bytes],
        *,
        quiet: bool = False,
        platforms: Sequence[Platform] = (),
    ) -> AsyncIterator[Progress]:
        """Take in a docker archive or an OCI layout as it arrives. On failure nothing is left.

        platforms: what to take of an archive with several; all if not given.
        Raises InvalidArgument for an archive that is broken, hostile or contradicts itself,
        Unavailable when the disk is full.
        """
        return self._archives().load(source, self, quiet=quiet, platforms=platforms)

    def save(self, refs: Sequence[str], platforms: Sequence[Platform] = ()) -> AsyncIterator[bytes]:
        """One tar of several images. Raises NotFound, before the first byte.

        platforms: only these; refuses an image that is for none of them.
        """
        plan = self._archives().save_plan(refs, platforms)
        with self._db.transaction() as tx:
            meant = (image for ref in refs for image, _ in self._catalogue.meant(ref))
            for image in dict.fromkeys(meant):
                tx.emit(image_event("save", self.get(image), image))
        return self._archives().save(plan)

    def save_size_bytes(self, refs: Sequence[str]) -> int:
        """How many bytes ``save`` will send."""
        return self._archives().size_bytes(refs)

    def import_(self, source: AsyncIterator[bytes], wanted: Import) -> AsyncIterator[Progress]:
        """An image of one layer from the tar of a root filesystem, compressed or not.

        The message's status is the new image's ID. Raises as ``load`` does.
        """
        return self._archives().import_(source, wanted, self.add)

    async def import_from(self, source: str, wanted: Import) -> AsyncIterator[Progress]:
        """The same from a URL; raises NotFound and Unavailable before the first message."""
        from knarr.image.web import Download, url_of

        download = await asyncio.to_thread(Download, url_of(source))
        return self._archives().import_from(download, wanted, self.add)

    def bootstrap(self, wanted: Bootstrap, scratch: Path) -> AsyncIterator[Progress]:
        """A base image from the distribution's packages; ``scratch`` is a folder for its work.

        Raises Unsupported where mmdebstrap is missing, KnarrError with its last words.
        """
        return self._archives().bootstrap(wanted, scratch, self.add)

    # -- at start, and for the whole ---------------------------------------------------------

    def repair(self) -> builtins.list[str]:
        """At start: throw away what nobody holds and what never got its name.

        Returns what was found, in sentences. Takes as long as deleting does.
        """
        with self._db.transaction() as tx:
            content_rows.end_old_leases(tx, now_ns=time.time_ns(), at_start=True)
        self.collect()
        layers, blobs = layer_rows.all_layers(self._db), content_rows.all_blobs(self._db)
        orphans = [*self._layers.sweep(layers), *self._blobs.sweep(blobs)]
        found = [f"{each}: nobody knows what for; deleted" for each in orphans]
        found += [f"layer {each} is missing" for each in layers if not self._layers.has(each)]
        found += [f"blob {each} is missing" for each in blobs if not self._blobs.has(each)]
        return found


def new_name(repository: str, tag: str = "") -> Reference:
    """The name a person gives an image. Raises InvalidArgument in Docker's words."""
    reference = Reference.parse(f"{repository}:{tag}" if tag else repository)
    if reference.digest:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    if reference.familiar_name == "sha256":
        raise InvalidArgument("refusing to create an ambiguous tag using digest algorithm as name")
    return reference.tagged()


def _begins_with(document: ImageDocument, asked: ImageDocument) -> bool:
    steps, layers = len(asked.history), len(asked.rootfs.diff_ids)
    return (
        document.history[:steps] == asked.history
        and document.rootfs.diff_ids[:layers] == asked.rootfs.diff_ids
    )
