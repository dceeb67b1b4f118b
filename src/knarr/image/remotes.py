"""Manifests in registries: read without pulling, and indexes made of images that are there.

Work is done in threads. Source: OCI distribution-spec, "Mounting a blob from another repository".
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, TypeVar
from urllib.parse import quote

from knarr.content import BlobStore, digest_of
from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import Digest
from knarr.image.platforms import platform_document
from knarr.reference import DEFAULT_TAG, Reference
from knarr.registry import Cancellation, Fetched, Logins, Registries, Tell, told
from knarr.registry.challenge import scope
from knarr.registry.client import RegistryClient
from knarr.registry.failures import Refused, pull_refused
from knarr.registry.manifests import CONFIG_LIMIT, image_config, is_attestation, read_index
from knarr.registry.threads import called_off_when_cancelled
from knarr.registry.upload import upload
from knarr.spec import decode
from knarr.spec.docker.image import OCIDescriptor
from knarr.spec.docker.progress import Progress
from knarr.spec.knarr.registry import IndexPush, PushedIndex, RegistryManifest
from knarr.spec.oci.image import Descriptor, ImageDocument, Manifest, Platform
from knarr.spec.oci.platform import platform_of

T = TypeVar("T")
_NO_BODY: Final = {"Content-Length": "0"}


class Remotes:
    """What a registry has; lives in the loop."""

    def __init__(self, registries: Registries, blobs: BlobStore) -> None:
        self._registries, self._blobs = registries, blobs

    async def manifest(
        self, reference: Reference, logins: Logins, *, children: bool, insecure: bool
    ) -> RegistryManifest:
        """Raises NotFound, Unauthorized, Unavailable in Docker's words.

        children: read the manifests of an index too. insecure: plain HTTP will do this time.
        """
        with called_off_when_cancelled() as cancellation:
            registries = self._for(reference, insecure=insecure)
            client = registries.pullers(reference, logins, cancellation)[-1]
            return await asyncio.to_thread(_read, client, reference, children)

    def push_index(
        self, reference: Reference, wanted: IndexPush, logins: Logins, *, insecure: bool
    ) -> AsyncIterator[Progress]:
        """An index, after the manifests that it names: they and their blobs are brought from
        other repositories of the same registry. Raises InvalidArgument for another registry's.
        """
        parts = [(Reference.parse(part.ref), Digest(part.digest)) for part in wanted.parts]
        for part, _ in parts:
            if part.domain != reference.domain:
                raise InvalidArgument(
                    "cannot use source images from a different registry than the target image:"
                    f" {part.domain} != {reference.domain}"
                )

        async def work(tell: Tell) -> None:
            with called_off_when_cancelled() as cancellation:
                registries = self._for(reference, insecure=insecure)
                target = registries.pusher(reference, logins, cancellation)
                for part, digest in parts:
                    source = registries.pullers(part, logins, cancellation)[-1]
                    await asyncio.to_thread(self._bring, source, target, digest)
                    there = f"{reference.name}@{digest}"
                    tell(Progress(status=f"Pushed ref {there} with digest: {digest}"))
                index = Fetched(
                    raw=wanted.raw, media_type=wanted.media_type, digest=digest_of(wanted.raw)
                )
                tag = reference.tag or DEFAULT_TAG
                await asyncio.to_thread(_worded, reference, lambda: target.put_manifest(tag, index))
                tell(Progress(aux=PushedIndex(digest=index.digest)))

        return told(work)

    def _for(self, reference: Reference, *, insecure: bool) -> Registries:
        return self._registries.trusting(reference.domain) if insecure else self._registries

    def _bring(self, source: RegistryClient, target: RegistryClient, digest: Digest) -> None:
        """A manifest and its blobs, from one repository to another. In a thread."""
        found = source.manifest(digest, f"{source.endpoint.repository}@{digest}")
        document = decode(found.raw, Manifest)
        for blob in (document.config, *document.layers):
            if target.blob_size(blob.digest) is None:
                self._bring_blob(source, target, blob)
        target.put_manifest(digest, found)

    def _bring_blob(self, source: RegistryClient, target: RegistryClient, blob: Descriptor) -> None:
        """Mounted where the registry does that, else through the store here."""
        neighbour = source.endpoint.repository
        if _mounted(target, blob, neighbour):
            return
        cancellation = Cancellation()
        with self._blobs.writer() as writer:
            reply = source.blob(Digest(blob.digest))
            try:
                for piece in reply.pieces(cancellation):
                    writer.write(piece)
            finally:
                reply.close()
            writer.commit(Digest(blob.digest))
        try:
            upload(target, self._blobs, blob, (), lambda _: None)
        finally:
            self._blobs.unpin(Digest(blob.digest))


def _read(client: RegistryClient, reference: Reference, children: bool) -> RegistryManifest:
    about = reference.familiar

    def fetched(name: str) -> Fetched:
        return _worded(reference, lambda: client.manifest(name, about))

    root = fetched(str(reference.digest or reference.tag or DEFAULT_TAG))
    if not root.is_index:
        return _told(client, root, str(reference), about, None)
    named: Iterable[Descriptor] = read_index(root).manifests if children else ()
    return RegistryManifest(
        ref=str(reference),
        descriptor=OCIDescriptor(
            media_type=root.media_type, digest=root.digest, size=len(root.raw)
        ),
        raw=root.raw,
        children=tuple(
            _told(client, fetched(each.digest), f"{reference}@{each.digest}", about, each)
            for each in named
            if not is_attestation(each)
        ),
    )


def _told(
    client: RegistryClient, found: Fetched, ref: str, about: str, named: Descriptor | None
) -> RegistryManifest:
    platform = named.platform if named and named.platform else _platform(client, found, about)
    return RegistryManifest(
        ref=ref,
        descriptor=OCIDescriptor(
            media_type=found.media_type,
            digest=found.digest,
            size=len(found.raw),
            platform=platform_document(platform),
        ),
        raw=found.raw,
    )


def _platform(client: RegistryClient, found: Fetched, about: str) -> Platform:
    try:
        config = client.small_blob(image_config(found, about), CONFIG_LIMIT, about)
        return platform_of(decode(config.raw, ImageDocument))
    except KnarrError:
        return Platform()  # an artifact runs nowhere


def _mounted(target: RegistryClient, blob: Descriptor, neighbour: str) -> bool:
    place = f"blobs/uploads/?mount={quote(blob.digest)}&from={quote(neighbour, safe='')}"
    rights = (scope(target.endpoint.repository, "pull", "push"), scope(neighbour, "pull"))
    try:
        reply = target.ask("POST", place, headers=_NO_BODY, scopes=rights)
    except KnarrError:
        return False  # no right to it there: the long way is left
    reply.discard()
    return reply.status == 201


def _worded(reference: Reference, work: Callable[[], T]) -> T:
    """A registry's refusal as Docker puts it."""
    try:
        return work()
    except Refused as error:
        known = pull_refused(reference.familiar, reference.familiar_name, error.refusal)
        raise known or error.meaning() from error
