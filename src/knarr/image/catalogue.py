"""Which image is meant: names, digests, IDs and prefixes of IDs, looked up."""

from collections.abc import Iterator

from knarr.errors import NotFound
from knarr.ids import Digest, ImageId, is_digest, is_hex_prefix
from knarr.image import index_rows, rows
from knarr.image.model import Image, StoredIndex
from knarr.image.removal import is_id_prefix
from knarr.reference import Reference
from knarr.snapshot import Layer
from knarr.snapshot.rows import find_layer
from knarr.spec.oci.image import Platform
from knarr.spec.oci.platform import best, platform_of
from knarr.store import Database


class Catalogue:
    """Reads only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def resolve(self, ref: str) -> Image:
        """The image called by name, name@digest, ID or unique ID prefix.

        Raises NotFound (``No such image: x:latest``), InvalidArgument for what can be no name.
        """
        if is_digest(ref) or (len(ref) == 64 and is_hex_prefix(ref)):
            return self.get(ImageId(Digest(f"sha256:{ref.removeprefix('sha256:')}")), ref)
        reference = Reference.parse(ref).tagged()
        found = self._named(reference)
        if found is None and (prefix := _id_prefix(ref)):
            matches = rows.by_prefix(self._db, prefix)
            found = matches[0] if len(matches) == 1 else None
        if found is None:
            raise NotFound(f"No such image: {reference.familiar}")
        return self.get(found, ref)

    def index(self, ref: str) -> StoredIndex | None:
        """The index that a name stands for. None for one image's name, an ID, and what is not here.

        Raises InvalidArgument for what can be no name.
        """
        if is_digest(ref) or (len(ref) == 64 and is_hex_prefix(ref)):
            return None
        return index_rows.of_reference(self._db, Reference.parse(ref).tagged())

    def platforms(self, ref: str) -> list[Image]:
        """The images that a name stands for: one of each platform that is here, the one for this
        machine first. Raises NotFound, InvalidArgument.
        """
        first = self.resolve(ref)
        index = self.index(ref)
        others = dict.fromkeys(index.images.values()) if index else {}
        return [first, *(self.get(each) for each in others if each != first.id)]

    def of_platform(self, ref: str, wanted: Platform) -> Image | None:
        """The one of them that suits a platform best. Raises NotFound for an unknown name."""
        offered = self.platforms(ref)
        place = best(wanted, [platform_of(each.document) for each in offered])
        return None if place is None else offered[place]

    def get(self, image: ImageId, ref: str = "") -> Image:
        """By its whole ID. Raises NotFound; ``ref`` is how it was asked for."""
        found = rows.find(self._db, image)
        if found is None:
            raise NotFound(f"No such image: {ref or image}")
        return found

    def meant(self, ref: str) -> Iterator[tuple[ImageId, tuple[Reference, ...]]]:
        """The images that ``save`` and ``push`` of this name mean, each with its names.

        A name without a tag means every tag of the repository; an ID means no name at all.
        Raises NotFound.
        """
        reference = Reference.parse(ref) if not is_digest(ref) and len(ref) != 64 else None
        tagged = rows.tags_of(self._db, reference.name) if reference else []
        if reference and not (reference.tag or reference.digest) and tagged:
            yield from ((image, (tag,)) for tag, image in tagged)
            return
        image = self.resolve(ref)
        by_name = reference is not None and not is_id_prefix(image.id, ref)
        yield image.id, (reference,) if by_name and reference and reference.tag else ()

    def _named(self, reference: Reference) -> ImageId | None:
        if reference.digest is None:
            return rows.by_tag(self._db, reference.name, reference.tag)
        if (image := rows.by_digest(self._db, reference.name, reference.digest)) is not None:
            return image
        # Docker finds an image by name@ID too, when it has a tag of that name.
        known = [image for _, image in rows.tags_of(self._db, reference.name)]
        image = ImageId(reference.digest)
        return image if image in known else None

    def layers(self, image: Image) -> list[Layer]:
        """The stored layers of an image, lowest first."""
        found = (find_layer(self._db, diff_id) for diff_id in image.diff_ids)
        return [layer for layer in found if layer is not None]


def _id_prefix(ref: str) -> str:
    digits = ref.removeprefix("sha256:")
    return digits if is_hex_prefix(digits) else ""
