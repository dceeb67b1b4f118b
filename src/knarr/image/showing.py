"""Images as lists and inspections show them, with their platforms."""

import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from knarr.content import BlobStore
from knarr.ids import DiffId, Digest, ImageId
from knarr.image import documents, index_rows, rows
from knarr.image.catalogue import Catalogue
from knarr.image.filters import LIST, Filters, ImageFilter
from knarr.image.model import Image, ImageUsers, StoredIndex, created_ns
from knarr.reference import Reference
from knarr.snapshot import Layers
from knarr.snapshot import rows as layer_rows
from knarr.spec.docker.image import ImageHistoryItem, ImageInspect, ImageSummary, ManifestSummary
from knarr.spec.document import decode
from knarr.spec.oci.image import OCI_CONFIG, Descriptor, Index, Manifest
from knarr.spec.oci.platform import platform_of
from knarr.store import Database

Shown = tuple[Image, tuple[Reference, ...], tuple[Reference, ...]]


class Showing:
    """Reads only."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        layers: Layers,
        users: ImageUsers,
        catalogue: Catalogue,
    ) -> None:
        self._db, self._blobs, self._layers = db, blobs, layers
        self._users, self._catalogue = users, catalogue
        self._kinds: dict[Digest, tuple[str, int]] = {}  # of manifests: they never change

    def list(
        self, filters: Filters, *, everything: bool, shared_size: bool, manifests: bool
    ) -> tuple[ImageSummary, ...]:
        """As ``ImageService.list``."""
        wanted = self.filter(filters, LIST)
        images = rows.every(self._db)
        indexes = index_rows.led_by(self._db)
        layers = _layers(images, indexes)
        sizes = self.layer_sizes()
        shared = documents.shared_bytes(layers, sizes) if shared_size else {}
        summaries = []
        for image, named, digests in _shown(images, wanted, everything=everything):
            led = indexes.get(image.id, ())
            summary = documents.summary(
                image,
                named,
                digests,
                shared_bytes=shared.get(image.id, -1),
                size_bytes=_size(image, layers[image.id], sizes),
            )
            told = self._manifests(image, led) if manifests else UNSET
            target = documents.descriptor(self.target(image, led))
            summaries.append(replace(summary, descriptor=target, manifests=told))
        return tuple(summaries)

    def families(self) -> dict[ImageId, frozenset[ImageId]]:
        """The images that go with each image of which a name has several platforms, with itself."""
        return {
            leader: frozenset((leader, *(each for index in led for each in index.images.values())))
            for leader, led in index_rows.led_by(self._db).items()
        }

    def inspect(self, ref: str, image: Image, *, manifests: bool, one: bool) -> ImageInspect:
        """one: of a platform that was asked for; else of all that the name stands for."""
        index = None if one else self._catalogue.index(ref)
        led = (index,) if index else ()
        told = documents.inspect(image, self._layers.places(image.diff_ids))
        shown: tuple[ManifestSummary, ...] | UnsetType = (
            self._manifests(image, led) if manifests else UNSET
        )
        return replace(
            told, descriptor=documents.descriptor(self.target(image, led)), manifests=shown
        )

    def target(self, image: Image, led: Sequence[StoredIndex]) -> Descriptor | None:
        """What its names stand for in a registry: an index, or a manifest; None before a push."""
        for index in led:
            if self._blobs.has(index.digest):
                size = self._blobs.path(index.digest).stat().st_size
                return Descriptor(media_type=index.media_type, digest=index.digest, size=size)
        if image.manifest is None or not self._blobs.has(image.manifest):
            return None
        if image.manifest not in self._kinds:
            raw = self._blobs.read(image.manifest)
            self._kinds[image.manifest] = decode(raw, Manifest).media_type, len(raw)
        media_type, size = self._kinds[image.manifest]
        return Descriptor(
            media_type=media_type,
            digest=image.manifest,
            size=size,
            platform=platform_of(image.document),
        )

    def _manifests(self, image: Image, led: Sequence[StoredIndex]) -> tuple[ManifestSummary, ...]:
        """Every platform of its indexes, here or not; the image alone where it has none."""
        shown: dict[str, ManifestSummary] = {}
        for index in led:
            for entry in self.entries(index):
                here = index.images.get(Digest(entry.digest))
                shown[entry.digest] = (
                    documents.absent_manifest(entry)
                    if here is None
                    else self._here(self._catalogue.get(here), entry)
                )
        return tuple(shown.values()) or (self._here(image, self.target(image, ())),)

    def entries(self, index: StoredIndex) -> tuple[Descriptor, ...]:
        """What an index names; nothing where its blob is lost."""
        if not self._blobs.has(index.digest):
            return ()
        return decode(self._blobs.read(index.digest), Index).manifests

    def _here(self, image: Image, entry: Descriptor | None) -> ManifestSummary:
        target = entry or Descriptor(media_type=OCI_CONFIG, digest=image.id, size=len(image.raw))
        return documents.manifest(
            image,
            target,
            rows.form_bytes(self._db, image.id),
            [each.id for each in self._users.containers_of(image.id)],
        )

    def history(self, image: Image) -> tuple[ImageHistoryItem, ...]:
        """Newest step first."""
        line = [image]
        while line[-1].parent and (older := rows.find(self._db, line[-1].parent)):
            line.append(older)
        return documents.history(line, self.layer_sizes())

    def layer_sizes(self) -> Mapping[DiffId, int]:
        """Bytes of the files in each layer."""
        layers = layer_rows.all_layers(self._db)
        return {diff_id: layer.content_bytes for diff_id, layer in layers.items()}

    def filter(self, filters: Filters, known: Sequence[str]) -> ImageFilter:
        return ImageFilter.parse(
            filters,
            known=known,
            created=lambda ref: created_ns(self._catalogue.resolve(ref).document),
            now_ns=time.time_ns(),
        )


def _layers(
    images: Sequence[Image], indexes: Mapping[ImageId, Sequence[StoredIndex]]
) -> dict[ImageId, set[DiffId]]:
    """Of each image that a list may have, with the layers of its other platforms."""
    own = {image.id: image.diff_ids for image in images}
    return {
        image.id: {
            diff_id
            for member in (
                image.id,
                *(each for led in indexes.get(image.id, ()) for each in led.images.values()),
            )
            for diff_id in own[member]
        }
        for image in images
        if image.tags or image.repo_digests or not image.platform_names
    }


def _size(image: Image, layers: AbstractSet[DiffId], sizes: Mapping[DiffId, int]) -> int:
    """Of all platforms; a layer that one image has twice counts twice, as everywhere."""
    others = layers - set(image.diff_ids)
    return image.size_bytes + sum(sizes.get(each, 0) for each in others)


def _shown(images: Sequence[Image], wanted: ImageFilter, *, everything: bool) -> Sequence[Shown]:
    """Which images a list has, and by which of their names.

    One that names lead to only by its platform is shown with the one that they lead to.
    """
    parents: set[ImageId | None] = {image.parent for image in images}
    shown = []
    for image in images:
        named = tuple(each for each in image.tags if wanted.named(each))
        digests = tuple(each for each in image.repo_digests if wanted.named(each))
        own = image.tags or image.repo_digests
        hidden = (
            (not own and image.platform_names)
            or (not own and image.id in parents and not everything)
            or (wanted.patterns and not (named or digests))
            or (wanted.dangling is not None and wanted.dangling != (not image.tags))
        )
        if not hidden and wanted.admits(image):
            shown.append((image, named, digests))
    return shown
