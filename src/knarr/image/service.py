"""The verbs of images."""

import asyncio
import builtins
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from knarr.content import BlobStore
from knarr.content import rows as content_rows
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.events import Event
from knarr.ids import DiffId, ImageId
from knarr.image import documents, removal, rows
from knarr.image.archives import Archives
from knarr.image.bootstrap import Bootstrap
from knarr.image.catalogue import Catalogue
from knarr.image.events import image_event
from knarr.image.filters import LIST, PRUNE, Filters, ImageFilter
from knarr.image.imported import Import
from knarr.image.looking import Looking
from knarr.image.model import Image, ImageUsers, NewImage, created_ns
from knarr.image.removal import HARD, SOFT, ImageInUse, Reason, Situation
from knarr.image.save import size_bytes
from knarr.image.sharing import NameOf, explained, facts
from knarr.reference import Reference
from knarr.snapshot import Layers
from knarr.snapshot import rows as layer_rows
from knarr.spec.docker.image import (
    ImageDeleted,
    ImageHistoryItem,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    ManifestSummary,
)
from knarr.spec.docker.progress import Progress
from knarr.spec.document import decode
from knarr.spec.knarr.image import StoreShare
from knarr.spec.oci.image import OCI_CONFIG, Manifest, Platform
from knarr.spec.oci.platform import platform_of, platform_text, suits
from knarr.store import Database


class ImageService:
    """Images by name, digest and ID. Synchronous verbs are short and run in the daemon's loop."""

    def __init__(self, db: Database, blobs: BlobStore, layers: Layers, users: ImageUsers) -> None:
        self._db = db
        self._blobs = blobs
        self._layers = layers
        self._users = users
        self._catalogue = Catalogue(db)
        self._archives = Archives(db, blobs, layers, self._catalogue)
        self.looking = Looking(layers, self._catalogue)

    def resolve(self, ref: str) -> Image:
        """The image called by name, name@digest, ID or unique ID prefix.

        Raises NotFound (``No such image: x:latest``), InvalidArgument for what can be no name.
        """
        return self._catalogue.resolve(ref)

    def find(self, ref: str) -> Image | None:
        """As ``resolve``, but None where there is no such image."""
        try:
            return self._catalogue.resolve(ref)
        except NotFound:
            return None

    def get(self, image: ImageId) -> Image:
        """By its whole ID. Raises NotFound."""
        return self._catalogue.get(image)

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
        """Newest first. Filters: dangling, label, label!, before, since, reference, until.

        everything: intermediate images too, which have no name and children.
        manifests: tell the platform of each, and which containers stand on it.
        """
        wanted = self._filter(filters, LIST)
        images = rows.every(self._db)
        parents = {image.parent for image in images}
        shown = []
        for image in images:
            named = tuple(each for each in image.tags if wanted.named(each))
            digests = tuple(each for each in image.repo_digests if wanted.named(each))
            intermediate = not (image.tags or image.repo_digests) and image.id in parents
            hidden = (
                (intermediate and not everything)
                or (wanted.patterns and not (named or digests))
                or (wanted.dangling is not None and wanted.dangling != (not image.tags))
            )
            if not hidden and wanted.admits(image):
                shown.append((image, named, digests))
        shared = documents.shared_bytes(images, self._layer_sizes()) if shared_size else {}
        summaries = [
            documents.summary(image, named, digests, shared_bytes=shared.get(image.id, -1))
            for image, named, digests in shown
        ]
        if manifests:
            summaries = [
                replace(summary, manifests=(self._manifest(image),))
                for summary, (image, _, _) in zip(summaries, shown, strict=True)
            ]
        return tuple(summaries)

    def inspect(
        self, ref: str, *, platform: Platform | None = None, manifests: bool = False
    ) -> ImageInspect:
        """Raises NotFound, also where the image is for another platform."""
        image = self.of_platform(ref, platform)
        told = documents.inspect(image, self._layers.places(image.diff_ids))
        return replace(told, manifests=(self._manifest(image),)) if manifests else told

    def of_platform(self, ref: str, *platforms: Platform | None) -> Image:
        """The image, if it is for one of these platforms: an image here is for one.

        None, or no platform at all, is any. Raises NotFound in Docker's words.
        """
        image = self.resolve(ref)
        _refuse_other(ref, image, [each for each in platforms if each is not None])
        return image

    def _manifest(self, image: Image) -> ManifestSummary:
        media_type, size = OCI_CONFIG, len(image.raw)
        if image.manifest is not None and self._blobs.has(image.manifest):
            raw = self._blobs.read(image.manifest)
            media_type, size = decode(raw, Manifest).media_type, len(raw)
        return documents.manifest(
            image,
            media_type,
            size,
            rows.form_bytes(self._db, image.id),
            [each.id for each in self._users.containers_of(image.id)],
        )

    def history(
        self, ref: str, *, platform: Platform | None = None
    ) -> tuple[ImageHistoryItem, ...]:
        """Newest step first."""
        image = self.of_platform(ref, platform)
        line = [image]
        while line[-1].parent and (older := rows.find(self._db, line[-1].parent)):
            line.append(older)
        return documents.history(line, self._layer_sizes())

    def sharing(self, name_of: NameOf) -> StoreShare:
        """What shares what, and what removing it would free."""
        return explained(facts(self._db), self._users, name_of)

    def _layer_sizes(self) -> dict[DiffId, int]:
        layers = layer_rows.all_layers(self._db)
        return {diff_id: layer.content_bytes for diff_id, layer in layers.items()}

    def layers_bytes(self) -> int:
        """Of all layers here, each counted once."""
        return sum(self._layer_sizes().values())

    def _filter(self, filters: Filters, known: Sequence[str]) -> ImageFilter:
        return ImageFilter.parse(
            filters,
            known=known,
            created=lambda ref: created_ns(self.resolve(ref).document),
            now_ns=time.time_ns(),
        )

    # -- naming ------------------------------------------------------------------------------

    def tag(self, ref: str, repository: str, tag: str = "") -> None:
        """Another name for the image; a name that led elsewhere is moved."""
        image = self.resolve(ref)
        name = new_name(repository, tag)
        with self._db.transaction() as tx:
            rows.put_tag(tx, name, image.id)
            tx.emit(image_event("tag", image, name.familiar))

    def add(self, new: NewImage, *actions: str) -> Image:
        """Record an image whose layers are stored, and give it its names.

        ``actions`` are the events to tell, ``load`` or ``import``. The caller unpins afterwards.
        Raises InvalidArgument where a layer of it is neither new nor known.
        """
        manifest = self._blobs.put(new.manifest) if new.manifest else None
        try:
            with self._db.transaction() as tx:
                rows.record(tx, new, manifest)
                image = self.get(new.id)
                for action in actions:
                    tx.emit(image_event(action, image, image.id))
        finally:
            if manifest is not None:
                self._blobs.unpin(manifest.digest)
        return image

    # -- removing ----------------------------------------------------------------------------

    async def remove(
        self, ref: str, *, force: bool = False, no_prune: bool = False
    ) -> tuple[ImageDeleted, ...]:
        """Untag, and delete the image with its last name. Raises Conflict in Docker's words.

        no_prune: parents without a name stay. Files are gone when this returns.
        """
        try:
            return self._remove(ref, force=force, prune=not no_prune)
        finally:
            await asyncio.to_thread(self._layers.empty_trash)

    async def prune(self, filters: Filters) -> ImagesPruned:
        """Delete images without a name, or with ``dangling=false`` all without a container."""
        wanted = self._filter(filters, PRUNE)
        dangling_only = wanted.dangling is not False
        before = self._layer_sizes()
        deleted: list[ImageDeleted] = []
        images = rows.every(self._db)
        parents = {image.parent for image in images}
        for image in images:
            intermediate = not (image.tags or image.repo_digests) and image.id in parents
            kept = (dangling_only and image.tags) or intermediate or not wanted.admits(image)
            if kept:
                continue
            names = [str(each) for each in (*image.tags, *image.repo_digests)]
            for ref in names or [image.id]:
                with suppress(Conflict, NotFound):
                    deleted += self._remove(ref, force=False, prune=True)
        await asyncio.to_thread(self._layers.empty_trash)
        freed = sum(before.values()) - sum(self._layer_sizes().values())
        with self._db.transaction() as tx:
            tx.emit(
                Event(type="image", action="prune", actor="", attributes={"reclaimed": str(freed)})
            )
        return ImagesPruned(images_deleted=tuple(deleted), space_reclaimed=freed)

    def _remove(self, ref: str, *, force: bool, prune: bool) -> tuple[ImageDeleted, ...]:
        image = self.resolve(ref)
        situation = self._situation(image)
        told: list[ImageDeleted] = []
        if not removal.is_id_prefix(image.id, ref):
            if not force:
                removal.refuse_untag(situation, ref)
            self._untag(image, _removed_with(image, Reference.parse(ref).tagged()), told)
            if self.get(image.id).tags or self.get(image.id).repo_digests:
                return tuple(told)
            quiet = True
        else:
            quiet = False
            if removal.is_single(situation.references):
                removal.refuse_delete(situation, HARD if force else HARD | Reason.STOPPED)
                self._untag(image, situation.references, told)
        self._delete(image.id, told, force=force, prune=prune, quiet=quiet)
        return tuple(told)

    def _situation(self, image: Image) -> Situation:
        return Situation(
            image=image,
            children=rows.children_of(self._db, image.id),
            users=self._users.containers_of(image.id),
        )

    def _untag(
        self, image: Image, references: Sequence[Reference], told: builtins.list[ImageDeleted]
    ) -> None:
        with self._db.transaction() as tx:
            for reference in references:
                rows.drop_reference(tx, reference)
                tx.emit(image_event("untag", image, image.id))
                told.append(ImageDeleted(untagged=reference.familiar))

    def _delete(
        self,
        image_id: ImageId,
        told: builtins.list[ImageDeleted],
        *,
        force: bool,
        prune: bool,
        quiet: bool,
    ) -> None:
        """Delete an image, then its parents while they have no name, child or container.

        quiet: its name is gone already, so what stands against the rest is no error, unless the
        image would be left dangling without need.
        """
        image = self.get(image_id)
        situation = self._situation(image)
        try:
            removal.refuse_delete(situation, HARD if force else HARD | SOFT)
        except Conflict as conflict:
            if quiet and (not situation.dangling or isinstance(conflict, ImageInUse)):
                return
            raise
        self._untag(image, situation.references, told)
        with self._db.transaction() as tx:
            rows.drop(tx, image_id)
            tx.emit(image_event("delete", image, image_id))
        told.append(ImageDeleted(deleted=image_id))
        told += [
            ImageDeleted(deleted=chain) for chain in documents.freed_chains(image, self.collect())
        ]
        if prune and image.parent and rows.find(self._db, image.parent) is not None:
            self._delete(image.parent, told, force=False, prune=True, quiet=True)

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
        platform: Platform | None = None,
    ) -> AsyncIterator[Progress]:
        """Take in a docker archive or an OCI layout as it arrives. On failure nothing is left.

        platform: what to take of an archive with several; this machine's if not given.
        Raises InvalidArgument for an archive that is broken, hostile or contradicts itself,
        Unavailable when the disk is full.
        """
        return self._archives.load(source, self.add, quiet=quiet, platform=platform)

    def save(self, refs: Sequence[str], platforms: Sequence[Platform] = ()) -> AsyncIterator[bytes]:
        """One tar of several images. Raises NotFound, before the first byte.

        platforms: refuse an image that is for none of these.
        """
        for ref in refs if platforms else ():
            for image, _ in self._catalogue.meant(ref):
                _refuse_other(ref, self.get(image), platforms)
        plan = self._archives.save_plan(refs)
        with self._db.transaction() as tx:
            meant = (image for ref in refs for image, _ in self._catalogue.meant(ref))
            for image in dict.fromkeys(meant):
                tx.emit(image_event("save", self.get(image), image))
        return self._archives.save(plan)

    def save_size_bytes(self, refs: Sequence[str]) -> int:
        """How many bytes ``save`` will send."""
        return size_bytes(self._archives.save_plan(refs))

    def import_(self, source: AsyncIterator[bytes], wanted: Import) -> AsyncIterator[Progress]:
        """An image of one layer from the tar of a root filesystem, compressed or not.

        The message's status is the new image's ID. Raises as ``load`` does.
        """
        return self._archives.import_(source, wanted, self.add)

    def bootstrap(self, wanted: Bootstrap, scratch: Path) -> AsyncIterator[Progress]:
        """A base image from the distribution's packages; ``scratch`` is a folder for its work.

        Raises Unsupported where mmdebstrap is missing, KnarrError with its last words.
        """
        return self._archives.bootstrap(wanted, scratch, self.add)

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


def _refuse_other(ref: str, image: Image, wanted: Sequence[Platform]) -> None:
    """Raises NotFound where platforms are asked for, and the image is for another one."""
    if wanted and all(suits(each, platform_of(image.document)) != 0 for each in wanted):
        names = ", ".join(platform_text(each) for each in wanted)
        raise NotFound(
            f"image with reference {ref} was found but does not provide the specified"
            f" platform ({names})"
        )


def new_name(repository: str, tag: str = "") -> Reference:
    """The name a person gives an image. Raises InvalidArgument in Docker's words."""
    reference = Reference.parse(f"{repository}:{tag}" if tag else repository)
    if reference.digest:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    if reference.familiar_name == "sha256":
        raise InvalidArgument("refusing to create an ambiguous tag using digest algorithm as name")
    return reference.tagged()


def _removed_with(image: Image, reference: Reference) -> tuple[Reference, ...]:
    """The name, and with a repository's last tag the digests that came with it."""
    if reference.digest:
        return (reference,)
    others = [each for each in image.tags if each.name == reference.name and each != reference]
    digests = [each for each in image.repo_digests if each.name == reference.name]
    return (reference,) if others else (reference, *digests)
