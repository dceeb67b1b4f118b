"""An index on its way out, with all that it names: as it came, where all of that is still here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knarr.content import Blob, BlobStore
from knarr.ids import Digest, is_digest
from knarr.image.model import StoredIndex
from knarr.image.outgoing import OutgoingImage
from knarr.image.platforms import reindexed
from knarr.registry import Fetched, Parcel, digest_of, received
from knarr.spec import decode, encode
from knarr.spec.oci.image import Descriptor, Index, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A manifest of an index that is no image, such as what attests to one, and its blobs."""

    manifest: Fetched
    blobs: tuple[Descriptor, ...]


@dataclass(slots=True, kw_only=True)
class OutgoingIndex:
    """One push of an index. images, attached: by the digests that it names their manifests by."""

    index: Fetched
    images: Mapping[Digest, OutgoingImage]
    attached: Mapping[Digest, Attached]
    shipped: bytes = b""  # the index that was sent in the end

    def parcel(self) -> Parcel:
        parcels = {digest: image.parcel() for digest, image in self.images.items()}

        def documents(descriptors: Sequence[Descriptor]) -> Sequence[Fetched]:
            rest, manifests = list(descriptors), {}
            for digest, parcel in parcels.items():
                own, rest = rest[: len(parcel.layers)], rest[len(parcel.layers) :]
                manifests[digest] = parcel.documents(own)[-1]
            return self._documents(manifests)

        return Parcel(
            layers=[layer for parcel in parcels.values() for layer in parcel.layers],
            configs=[config for parcel in parcels.values() for config in parcel.configs],
            blobs=[blob for each in self.attached.values() for blob in each.blobs],
            documents=documents,
        )

    def kept(self) -> tuple[Blob, ...]:
        """What an index that goes as it came holds besides its images."""
        if self.shipped != self.index.raw:
            return ()
        parts = [each.manifest.descriptor for each in self.attached.values()]
        parts += [blob for each in self.attached.values() for blob in each.blobs]
        return tuple(Blob(digest=Digest(each.digest), size_bytes=each.size) for each in parts)

    def _documents(self, manifests: Mapping[Digest, Fetched]) -> Sequence[Fetched]:
        """What attests to a manifest goes only beside that very manifest."""
        if all(digest == sent.digest for digest, sent in manifests.items()):
            self.shipped = self.index.raw
            attached = [each.manifest for each in self.attached.values()]
            return [*manifests.values(), *attached, self.index]
        packed = {digest: sent.descriptor for digest, sent in manifests.items()}
        index = reindexed(decode(self.index.raw, Index), packed)
        self.shipped = encode(index)
        sent = Fetched(
            raw=self.shipped, media_type=index.media_type, digest=digest_of(self.shipped)
        )
        return [*manifests.values(), sent]


def attached(
    index: StoredIndex, document: Index, blobs: BlobStore
) -> dict[Digest, Attached] | None:
    """What an index names besides its images. None where anything of it is not here."""
    found: dict[Digest, Attached] = {}
    for entry in document.manifests:
        digest = Digest(entry.digest)
        if digest in index.images:
            continue
        if not is_digest(digest) or not blobs.has(digest):
            return None
        manifest = received(blobs.read(digest), entry.media_type, digest, digest)
        parts = decode(manifest.raw, Manifest)
        there = tuple({each.digest: each for each in (parts.config, *parts.layers)}.values())
        if not all(is_digest(each.digest) and blobs.has(Digest(each.digest)) for each in there):
            return None
        found[digest] = Attached(manifest=manifest, blobs=there)
    return found
