"""One repository at one endpoint: the distribution protocol from the client's side.

Blocking, for worker threads; one client is shared by several of them. What goes wrong is raised as
Refused (the registry's own answer) or as a KnarrError of the transport.
Source: OCI distribution-spec 1.1.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from knarr.errors import KnarrError, Unavailable
from knarr.ids import Digest, is_digest
from knarr.registry.cancellation import Cancellation
from knarr.registry.conversation import Conversation
from knarr.registry.failures import Refused
from knarr.registry.manifests import (
    ACCEPTED,
    MANIFEST_LIMIT,
    Fetched,
    digest_of,
    read_index,
    received,
)
from knarr.registry.origin import checked_target
from knarr.registry.transport import Reply
from knarr.spec import decode
from knarr.spec.oci.distribution import Catalog, TagList
from knarr.spec.oci.image import Descriptor, Index

_TAG_LENGTH: Final = 128
_PAGES: Final = 10_000
_NEXT: Final = re.compile(r"""<([^>]*)>\s*;[^,]*\brel="?next"?""", re.IGNORECASE)
_PIECE: Final = 512 << 10
D = TypeVar("D")
_ACCEPT: Final = {"Accept": ", ".join(ACCEPTED)}


class BlobReply:
    """The bytes of a blob on their way. ``offset`` is where in the blob they begin."""

    def __init__(self, reply: Reply, offset: int) -> None:
        self._reply, self.offset = reply, offset

    @property
    def length(self) -> int | None:
        return self._reply.length

    def pieces(self, cancellation: Cancellation) -> Iterator[bytes]:
        """Raises Unavailable when the connection breaks, Cancelled when it is called off."""
        with cancellation.closing(self._reply.interrupt):
            while piece := self._reply.read_some(_PIECE):
                cancellation.check()
                yield piece
            cancellation.check()

    def close(self) -> None:
        self._reply.close()


class RegistryClient(Conversation):
    """Asks one endpoint for one repository, as one person."""

    # -- manifests ---------------------------------------------------------------------------

    def manifest(self, tag_or_digest: str, about: str) -> Fetched:
        """A manifest or an index, checked against its digest. ``about``: its name for messages."""
        reply = self.ask("GET", f"manifests/{tag_or_digest}", headers=_ACCEPT)
        raw = reply.read_all(MANIFEST_LIMIT)
        expected = tag_or_digest if is_digest(tag_or_digest) else None
        fetched = received(raw, reply.header("Content-Type") or "", expected, about)
        named = reply.header("Docker-Content-Digest") or ""
        if is_digest(named) and named != fetched.digest:
            raise KnarrError(
                f"manifest verification failed for digest {named}: {about} was answered with"
                f" {fetched.digest}"
            )
        return fetched

    def manifest_descriptor(self, tag_or_digest: str) -> Descriptor | None:
        """Of a manifest or index by ``HEAD``; None when the registry does not have it."""
        try:
            reply = self.ask("HEAD", f"manifests/{tag_or_digest}", headers=_ACCEPT)
        except Refused as error:
            if error.refusal.status == 404:
                return None
            raise
        reply.discard()
        return Descriptor(
            media_type=(reply.header("Content-Type") or "").partition(";")[0].strip(),
            digest=reply.header("Docker-Content-Digest") or "",
            size=reply.length or 0,
        )

    def tags(self) -> Iterator[str]:
        """All tags, page after page, as the registry sorts them."""
        for page in self._pages("tags/list", TagList):
            yield from page.tags or ()

    def repositories(self) -> Iterator[str]:
        """All repositories of this registry, where it tells: its catalog."""
        for page in self._pages("_catalog", Catalog):
            yield from page.repositories or ()

    def _pages(self, place: str, kind: type[D]) -> Iterator[D]:
        """Each page of a list; the registry's own link leads from one to the next."""
        url: str | None = self.url(place)
        seen: set[str] = set()
        while url is not None and url not in seen and len(seen) < _PAGES:
            seen.add(url)
            reply = self.ask("GET", url)
            yield decode(reply.read_all(MANIFEST_LIMIT), kind)
            following = next_page(reply.header_lines("Link"))
            url = following and checked_target(url, following, insecure=self.endpoint.insecure)

    # -- blobs -------------------------------------------------------------------------------

    def small_blob(self, wanted: Descriptor, limit_bytes: int, about: str) -> Fetched:
        """A whole blob in memory, such as a config; checked against digest and size."""
        reply = self.ask("GET", f"blobs/{wanted.digest}")
        raw = reply.read_all(min(limit_bytes, wanted.size or limit_bytes))
        fetched = Fetched(raw=raw, media_type=wanted.media_type, digest=digest_of(raw))
        if fetched.digest != wanted.digest:
            raise KnarrError(f"filesystem layer verification failed for digest {wanted.digest}")
        if wanted.size and len(raw) != wanted.size:
            raise KnarrError(f"{about}: {wanted.digest} has {len(raw)} bytes, not {wanted.size}")
        return fetched

    def blob(self, digest: Digest, offset: int = 0) -> BlobReply:
        """The bytes of a blob from ``offset`` on, or from 0 where the registry knows no ranges.

        Asked once: who receives the bytes knows how far they came, and tries again.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            reply = self.ask("GET", f"blobs/{digest}", headers=headers, again=False)
        except Refused as error:
            if error.refusal.status != 416 or not offset:
                raise
            reply = self.ask("GET", f"blobs/{digest}", again=False)
        if reply.status == 206:
            return BlobReply(reply, _range_start(reply, offset))
        return BlobReply(reply, 0)

    def blob_size(self, digest: str) -> int | None:
        """Bytes of a blob; None when the registry does not have it."""
        try:
            reply = self.ask("HEAD", f"blobs/{digest}")
        except Refused as error:
            if error.refusal.status == 404:
                return None
            raise
        reply.discard()
        return reply.length or 0

    # -- changes -----------------------------------------------------------------------------

    def put_manifest(self, tag_or_digest: str, manifest: Fetched) -> bool:
        """Store a manifest or an index whose parts are there.

        False when it has a subject and the registry does not keep track of such: then it is the
        client's to do so. Raises KnarrError when the registry made something else of it.
        """
        reply = self.ask(
            "PUT",
            f"manifests/{tag_or_digest}",
            headers={"Content-Type": manifest.media_type},
            body=lambda: manifest.raw,
        )
        reply.discard()
        stored = reply.header("Docker-Content-Digest")
        if stored and stored != manifest.digest:
            raise KnarrError(
                f"the registry stored {stored} where {manifest.digest} was sent: it changes"
                " manifests, and cannot be trusted with them"
            )
        return reply.header("OCI-Subject") is not None

    def delete_manifest(self, tag_or_digest: str) -> None:
        self.ask("DELETE", f"manifests/{tag_or_digest}").discard()

    def delete_blob(self, digest: Digest) -> None:
        self.ask("DELETE", f"blobs/{digest}").discard()

    def referrers(self, digest: Digest, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """Manifests whose subject this one is: signatures, attestations, and the like.

        Registries without the API have them in an index under a tag made of the digest.
        Source: distribution-spec, "Listing Referrers", "Referrers Tag Schema".
        """
        try:
            pages = list(self._pages(f"referrers/{digest}", Index))
            found = tuple(each for page in pages for each in page.manifests)
        except Refused as error:
            if error.refusal.status != 404:
                raise
            found = self.tagged_referrers(digest)
        return tuple(
            each for each in found if not artifact_type or each.artifact_type == artifact_type
        )

    def tagged_referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """The list that clients keep by hand, under a tag."""
        try:
            listed = self.manifest(referrers_tag(digest), f"referrers of {digest}")
        except Refused as error:
            if error.refusal.status != 404:
                raise
            return ()
        return read_index(listed).manifests


def referrers_tag(digest: Digest) -> str:
    """The tag under which referrers are listed where the registry has no API for them."""
    return digest.replace(":", "-")[:_TAG_LENGTH]


def next_page(links: Iterable[str]) -> str | None:
    """Where the next page is, as a ``Link`` header says. Source: RFC 8288; distribution-spec."""
    found = (_NEXT.search(line) for line in links)
    return next((match[1] for match in found if match), None)


def _range_start(reply: Reply, asked: int) -> int:
    """Where the answer to a range request begins. Raises Unavailable when it does not say."""
    words = (reply.header("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    if not (words.isascii() and words.isdecimal()) or int(words) > asked:
        reply.close()
        raise Unavailable("the registry answered another range than was asked for")
    return int(words)
