"""One repository at one endpoint: the distribution protocol from the client's side.

Blocking, for worker threads; one client is shared by several of them. What goes wrong is raised as
Refused (the registry's own answer) or as a KnarrError of the transport.
Source: OCI distribution-spec 1.1.
"""

import copy
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import quote

from knarr.errors import InvalidArgument, KnarrError, Unauthorized, Unavailable
from knarr.ids import Digest, is_digest
from knarr.registry.cancellation import Cancellation
from knarr.registry.challenge import parse_challenges, scope
from knarr.registry.failures import Refusal, Refused, insufficient, may_pass, refusal_of
from knarr.registry.manifests import (
    ACCEPTED,
    MANIFEST_LIMIT,
    Fetched,
    digest_of,
    read_index,
    received,
)
from knarr.registry.origin import checked_target, origin_of, same_origin
from knarr.registry.retry import RetryPolicy, retry_after_s
from knarr.registry.table import Endpoint
from knarr.registry.tokens import Authorizer, Scopes, scrubbed, secrets_of
from knarr.registry.transport import Call, NotTls, Reply, Source, Transport, Trust, Unreachable
from knarr.spec import decode
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.oci.distribution import Catalog, TagList
from knarr.spec.oci.image import Descriptor, Index

_REDIRECTS: Final = 5
_TAG_LENGTH: Final = 128
_PAGES: Final = 10_000
_NEXT: Final = re.compile(r"""<([^>]*)>\s*;[^,]*\brel="?next"?""", re.IGNORECASE)
_ERROR_LIMIT: Final = 64 << 10  # bytes of a refusal that are read
_PIECE: Final = 512 << 10
D = TypeVar("D")
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_ACCEPT: Final = {"Accept": ", ".join(ACCEPTED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How failures are met: when to try again, and how the waiting is done."""

    policy: RetryPolicy
    cancellation: Cancellation
    chance: Callable[[], float] = random.random

    def wait(self, failures: int, error: KnarrError) -> None:
        """Sleep before the next attempt. Raises ``error`` when there is to be none."""
        if not may_pass(error):
            raise error
        asked_s = error.wait_s if isinstance(error, Refused) else None
        seconds = self.policy.wait_s(failures, self.chance(), asked_s)
        if seconds is None:
            raise error
        self.cancellation.sleep(seconds)


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


class RegistryClient:
    """Asks one endpoint for one repository, as one person."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        login: AuthConfig,
        patience: Patience,
        *,
        actions: tuple[str, ...] = ("pull",),
        schemes: dict[str, str] | None = None,
        offline: bool = False,
    ) -> None:
        """actions: the rights to ask for: ``pull``, ``push``, ``delete``.

        schemes: what insecure hosts were found to speak; shared by clients to ask each once.
        offline: a token to keep instead of the password is wanted, as on a login.
        """
        self.endpoint, self.patience = endpoint, patience
        self._transport, self._login = transport, login
        self._authorizer = Authorizer(transport, login, insecure=endpoint.insecure, offline=offline)
        self._schemes = {} if schemes is None else schemes
        self._scopes: Scopes = (
            (scope(endpoint.repository, *actions),) if endpoint.repository else ()
        )

    def under(self, cancellation: Cancellation) -> "RegistryClient":
        """The same client for work that is called off by somebody else."""
        other = copy.copy(self)
        other.patience = replace(self.patience, cancellation=cancellation)
        return other

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

    def login(self) -> str:
        """Prove the login. The identity token to keep instead of the password, or nothing.

        Raises Unauthorized.
        """
        self.ask("GET", f"{self.base()}/v2/").discard()
        return self._authorizer.identity_token

    # -- requests ----------------------------------------------------------------------------

    def url(self, place: str) -> str:
        """The URL of something in this repository: ``tags/list``, ``blobs/sha256:...``."""
        repository = quote(self.endpoint.repository)
        prefix = f"{self.base()}/v2/"
        return f"{prefix}{repository}/{place}" if repository else f"{prefix}{place}"

    def base(self) -> str:
        """Scheme and host. An insecure host is asked once whether it speaks TLS."""
        host = self.endpoint.host
        if not self.endpoint.insecure:
            return f"https://{host}"
        return f"{self._schemes.get(host) or self._spoken_scheme(host)}://{host}"

    def _spoken_scheme(self, host: str) -> str:
        ping = Call(method="GET", url=f"https://{host}/v2/")
        try:
            self._transport.send(ping, self._trust(ping.url)).close()
        except NotTls:
            self._schemes[host] = "http"
        except Unavailable:
            return "http"  # it may be back with either: the next request asks again
        else:
            self._schemes[host] = "https"
        return self._schemes[host]

    def ask(
        self,
        method: str,
        place: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Source] | None = None,
        scopes: Scopes | None = None,
        again: bool = True,
    ) -> Reply:
        """A successful answer; ``place`` is within the repository, or an absolute URL.

        body: makes the body anew for each attempt.
        scopes: rights to ask for, where they are not those of this client.
        again: a failure that may pass is met with patience; False for what must not be repeated.
        Raises Refused for any other answer than 2xx, Unavailable when nobody answers.
        """
        failures = 0
        while True:
            self.patience.cancellation.check()
            try:
                reply = self._authorized(method, place, headers or {}, body, scopes)
                if reply.status < 300:
                    return reply
                raise self._refused(method, place, reply)
            except Unreachable:
                raise  # who asks is told at once; a download that broke off is more patient
            except (Refused, Unavailable) as error:
                if not again:
                    raise
                failures += 1
                self.patience.wait(failures, error)

    def _refused(self, method: str, place: str, reply: Reply) -> Refused:
        try:
            body = reply.read_all(_ERROR_LIMIT)
        except KnarrError:
            body = b""
        refusal = refusal_of(reply.status, body)
        if reply.status == 401:
            challenges = parse_challenges(reply.header_lines("WWW-Authenticate"))
            refusal = insufficient(refusal, challenges)
        words = scrubbed(refusal.text, secrets_of(self._login))
        return Refused(
            method,
            place if "://" in place else self.url(place),
            Refusal(status=refusal.status, codes=refusal.codes, text=words),
            wait_s=retry_after_s(reply.header("Retry-After"), datetime.now(UTC)),
        )

    def _authorized(
        self,
        method: str,
        place: str,
        headers: Mapping[str, str],
        body: Callable[[], Source] | None,
        scopes: Scopes | None,
    ) -> Reply:
        """Send it with what is known of the login, and once more when it is challenged."""
        rights = self._scopes if scopes is None else scopes
        url = place if "://" in place else self.url(place)
        login = self._authorizer.header(rights)
        reply = self._followed(method, url, headers, body, login)
        if reply.status != 401 or not same_origin(url, self.base()):
            return reply
        challenges = parse_challenges(reply.header_lines("WWW-Authenticate"))
        if not challenges:
            return reply
        reply.discard()
        try:
            login = self._authorizer.answer(url, challenges, rights, login)
        except Unauthorized as error:
            raise Unauthorized(f'{method.capitalize()} "{url}": {error}') from error
        return self._followed(method, url, headers, body, login)

    def _followed(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Source] | None,
        login: str | None,
    ) -> Reply:
        """Send it, and go where the registry points to; the login stays with its origin."""
        home = self.base()
        start = url
        for _ in range(_REDIRECTS + 1):
            own = same_origin(url, home)
            sent = {**headers, "Authorization": login} if login and own else dict(headers)
            call = Call(method=method, url=url, headers=sent, body=body() if body else None)
            reply = self._transport.send(call, self._trust(url))
            target = reply.header("Location") if reply.status in _MOVED else None
            if target is None or method not in ("GET", "HEAD"):
                return reply
            reply.discard()
            url = checked_target(url, target, insecure=self.endpoint.insecure)
        raise InvalidArgument(f"{origin_of(start).host} redirects without end")

    def _trust(self, url: str) -> Trust:
        """The endpoint is trusted as configured; elsewhere nothing is taken on faith."""
        host = origin_of(url)
        home = origin_of(f"{host.scheme}://{self.endpoint.host}")
        return Trust(
            verify=not self.endpoint.insecure,
            fenced=host.host != home.host and not home.is_loopback,
        )


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
