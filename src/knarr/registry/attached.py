"""What an index has beside an image: manifests that attest to it, with their few small blobs.

They are brought along so that a push can send the whole index again. Blocking, for a thread.
Source: BuildKit, "Image attestation storage".
"""

from typing import Final

from knarr.content import Blob, BlobStore
from knarr.errors import KnarrError
from knarr.ids import Digest, is_digest
from knarr.registry.cancellation import Cancellation
from knarr.registry.client import RegistryClient
from knarr.registry.manifests import ATTESTS, RemoteImage, read_index
from knarr.spec import decode
from knarr.spec.oci.image import Descriptor, Manifest

_BLOBS_LIMIT: Final = 64
_BYTES_LIMIT: Final = 64 << 20  # of one blob: lists of packages are large


def fetch_attached(
    client: RegistryClient, image: RemoteImage, blobs: BlobStore, cancellation: Cancellation
) -> list[Blob]:
    """Stored and pinned, for the caller to record and unpin. Nothing of what is not as promised:
    an image runs without.
    """
    got: list[Blob] = []
    if not image.root.is_index:
        return got
    for entry in read_index(image.root).manifests:
        if entry.annotations.get(ATTESTS) != image.manifest.digest or not is_digest(entry.digest):
            continue
        before = len(got)
        try:
            _fetch(client, Digest(entry.digest), blobs, cancellation, got)
        except KnarrError:
            for blob in got[before:]:
                blobs.unpin(blob.digest)
            del got[before:]
            cancellation.check()
    return got


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
