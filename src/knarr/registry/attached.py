"""What an index has beside an image: manifests that attest to it, with their few small blobs.

They are brought along so that a push can send the whole index again. Blocking, for a thread.
Source: BuildKit, "Image attestation storage".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from knarr.content import Blob, BlobStore
from knarr.errors import KnarrError
from knarr.ids import Digest, is_digest
from knarr.registry.cancellation import Cancellation
from knarr.registry.client import RegistryClient
from knarr.registry.manifests import RemoteImage, read_index
from knarr.spec import decode
from knarr.spec.oci.image import ATTESTS, Descriptor, Manifest

_BLOBS_LIMIT: Final = 64
_BYTES_LIMIT: Final = 64 << 20  # of one blob: lists of packages are large


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Blobs that are stored and pinned: to be recorded, and leftovers of what was not whole.

    The caller unpins all of them, and discards what has no row then.
    """

    whole: list[Blob] = field(default_factory=list)
    leftovers: list[Blob] = field(default_factory=list)

    def __iter__(self) -> Iterator[Blob]:
        yield from (*self.whole, *self.leftovers)


def fetch_attached(
    client: RegistryClient,
    image: RemoteImage,
    blobs: BlobStore,
    cancellation: Cancellation,
    got: Attached,
) -> None:
    """What is not as promised is no failure: an image runs without. Fills ``got``."""
    if not image.root.is_index:
        return
    for entry in read_index(image.root).manifests:
        if entry.annotations.get(ATTESTS) != image.manifest.digest or not is_digest(entry.digest):
            continue
        parts: list[Blob] = []
        try:
            _fetch(client, Digest(entry.digest), blobs, cancellation, parts)
        except KnarrError:
            got.leftovers.extend(parts)
        else:
            got.whole.extend(parts)


def _fetch(
    client: RegistryClient,
    digest: Digest,
    blobs: BlobStore,
    cancellation: Cancellation,
    got: list[Blob],
) -> None:
    raw = blobs.read(digest) if blobs.has(digest) else client.manifest(digest, digest).raw
    got.append(blobs.put(raw, digest))
    document = decode(raw, Manifest)
    parts = {each.digest: each for each in (document.config, *document.layers)}
    if len(parts) > _BLOBS_LIMIT or any(each.size > _BYTES_LIMIT for each in parts.values()):
        raise KnarrError(f"{digest} is larger than anything that attests to an image")
    for part in parts.values():
        one = _blob(client, part, blobs, cancellation)
        got.append(one)  # at once: what is pinned must be known, whatever comes next


def _blob(
    client: RegistryClient, part: Descriptor, blobs: BlobStore, cancellation: Cancellation
) -> Blob:
    if not is_digest(part.digest):
        raise KnarrError(f"{part.digest!r} is no digest")
    digest = Digest(part.digest)
    blobs.pin(digest)
    if blobs.has(digest):
        return Blob(digest=digest, size_bytes=blobs.path(digest).stat().st_size)
    blobs.unpin(digest)
    reply = client.blob(digest)
    try:
        with blobs.writer() as writer:
            for piece in reply.pieces(cancellation):
                writer.write(piece)
                if writer.size_bytes > part.size:
                    raise KnarrError(f"{digest} is larger than {part.size} bytes")
            return writer.commit(digest)
    finally:
        reply.close()
