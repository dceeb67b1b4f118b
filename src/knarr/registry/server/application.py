"""The registry as an HTTP application: each request to the verb it means.

Source: OCI distribution-spec 1.1, "Endpoints"; distribution/distribution, catalog.
"""

import json
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from knarr.errors import KnarrError
from knarr.http.message import Answer, Request, Response
from knarr.ids import Digest, is_digest
from knarr.registry.manifests import MANIFEST_LIMIT
from knarr.registry.server import page, rows
from knarr.registry.server.answers import (
    accepted,
    blob_headers,
    blob_response,
    created,
    digest_parameter,
    only,
    page_asked,
    page_response,
    progress,
)
from knarr.registry.server.describe import describe_tags, list_repositories
from knarr.registry.server.door import Caller, Door
from knarr.registry.server.mirror import Mirror
from knarr.registry.server.problems import JSON, Problem, response_to
from knarr.registry.server.registry import Registry
from knarr.registry.server.routes import (
    Blob,
    Catalog,
    Check,
    Manifest,
    Page,
    Referrers,
    Search,
    Tags,
    Token,
    Upload,
    Uploads,
    place_of,
)
from knarr.registry.server.search import search
from knarr.registry.server.uploads import Upload as Session
from knarr.spec import encode
from knarr.spec.oci.distribution import Catalog as CatalogDocument
from knarr.spec.oci.distribution import TagList
from knarr.spec.oci.image import OCI_INDEX, Index

_REFERRERS_LIMIT: Final = 1000
_CONTENT_RANGE: Final = re.compile(r"(?:bytes )?(\d+)-(\d+)(?:/(?:\d+|\*))?")
_HTML: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


class Application:
    """Answers requests to one registry."""

    def __init__(
        self,
        registry: Registry,
        door: Door,
        *,
        read_only: bool = False,
        mirror: Mirror | None = None,
    ) -> None:
        """mirror: this registry is a cache of others; what it does not have it fetches there."""
        self._registry, self._door = registry, door
        self._read_only = read_only or mirror is not None
        self._mirror = mirror

    async def __call__(self, request: Request) -> Answer:
        try:
            return await self._answer(request)
        except KnarrError as error:
            return response_to(error)

    async def _answer(self, request: Request) -> Response:
        place = place_of(request.path)
        if place is None:
            raise Problem("NAME_UNKNOWN", f"nothing is at {request.path}")
        if isinstance(place, Token):
            return await self._door.token(request)
        caller = await self._door.caller(request)
        if self._mirror is not None and isinstance(place, Manifest | Blob):
            place = replace(place, name=self._mirror.local_name(place.name, _ns(request)))
        match place:
            case Check():
                self._door.check(request, caller)
                return Response(headers=JSON, body=b"{}")
            case Catalog():
                self._door.check(request, caller)
                return self._catalog(request, caller)
            case Search() | Page():
                self._door.check(request, caller)
                return self._for_people(place, request, caller)
            case Tags() | Referrers():
                only(request, "GET")
                self._door.require(request, caller, place.name, "pull")
                return self._list(place, request)
            case Manifest():
                return await self._manifest(place, request, caller)
            case Blob():
                return await self._blob(place, request, caller)
            case Uploads() | Upload():
                return await self._upload(place, request, caller)

    # -- manifests -------------------------------------------------------------------------------

    async def _manifest(self, place: Manifest, request: Request, caller: Caller) -> Response:
        match request.method:
            case "GET" | "HEAD":
                self._door.require(request, caller, place.name, "pull")
                return await self._get_manifest(place, request)
            case "PUT":
                self._may_write(request, caller, place.name, "push")
                return await self._put_manifest(place, request)
            case "DELETE":
                self._may_write(request, caller, place.name, "delete")
                self._registry.delete_manifest(place.name, place.reference)
                return Response(status=202)
        raise Problem("UNSUPPORTED")

    async def _get_manifest(self, place: Manifest, request: Request) -> Response:
        if self._mirror is not None:
            await self._mirror.refresh(place.name, place.reference)
        found = self._registry.manifest(place.name, place.reference)
        headers = {
            "Content-Type": found.media_type,
            "Docker-Content-Digest": found.digest,
            "ETag": f'"{found.digest}"',
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status=304, headers=headers)
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(found.size)})
        return Response(headers=headers, body=self._registry.read(found))

    async def _put_manifest(self, place: Manifest, request: Request) -> Response:
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > MANIFEST_LIMIT:
            raise Problem("SIZE_INVALID", f"a manifest is at most {MANIFEST_LIMIT} bytes")
        raw = await request.body.read(MANIFEST_LIMIT + 1)
        tags = request.query().get("tag", [])
        for tag in tags:
            if is_digest(tag) or not isinstance(_tagged(place.name, tag), Manifest):
                raise Problem("TAG_INVALID")
        stored = self._registry.put_manifest(
            place.name, place.reference, raw, request.headers.get("content-type", ""), tags
        )
        headers = {
            "Location": f"/v2/{place.name}/manifests/{place.reference}",
            "Docker-Content-Digest": stored.manifest.digest,
        }
        if stored.subject:
            headers["OCI-Subject"] = stored.subject
        if tags:
            headers["OCI-Tag"] = ", ".join(tags)
        return Response(status=201, headers=headers)

    # -- blobs -----------------------------------------------------------------------------------

    async def _blob(self, place: Blob, request: Request, caller: Caller) -> Response:
        digest = Digest(place.digest)
        match request.method:
            case "GET" | "HEAD":
                self._door.require(request, caller, place.name, "pull")
            case "DELETE":
                self._may_write(request, caller, place.name, "delete")
                self._registry.delete_blob(place.name, digest)
                return Response(status=202)
            case _:
                raise Problem("UNSUPPORTED")
        if self._mirror is not None:
            passing = await self._mirror.passing(place.name, digest, request)
            if passing is not None:
                return passing
        if request.method == "HEAD":
            size = self._registry.blob_size(place.name, digest, for_push=not self._read_only)
            return Response(headers={**blob_headers(digest), "Content-Length": str(size)})
        fd, size = self._registry.open_blob(place.name, digest)
        return blob_response(fd, size, digest, request.headers.get("range", ""))

    # -- uploads ---------------------------------------------------------------------------------

    async def _upload(self, place: Uploads | Upload, request: Request, caller: Caller) -> Response:
        self._may_write(request, caller, place.name, "push")
        if isinstance(place, Uploads):
            only(request, "POST")
            return await self._begin(place, request, caller)
        session = self._registry.upload(place.name, place.session)
        match request.method:
            case "GET":
                return accepted(session, 204)
            case "DELETE":
                self._registry.cancel_upload(session)
                return Response(status=204)
            case "PATCH":
                async with session.held:
                    await self._receive(session, request)
                return accepted(session, 202)
            case "PUT":
                digest = digest_parameter(request)
                async with session.held:
                    await self._receive(session, request)
                    return await self._finish(session, digest)
        raise Problem("UNSUPPORTED")

    async def _begin(self, place: Uploads, request: Request, caller: Caller) -> Response:
        query = request.query()
        mount, source = query.get("mount", [""])[0], query.get("from", [""])[0]
        if is_digest(mount) and self._is_mounted(place.name, Digest(mount), source, caller):
            return created(place.name, Digest(mount))
        session = self._registry.begin_upload(place.name)
        if "digest" not in query:
            return accepted(session, 202)
        digest = digest_parameter(request)
        await self._receive(session, request)
        return await self._finish(session, digest)

    def _is_mounted(self, name: str, digest: Digest, source: str, caller: Caller) -> bool:
        """Only what the caller may pull elsewhere; without a word where, any such repository."""
        sources = [source] if source else rows.repositories_with(self._registry.db, digest)
        return any(
            self._door.may_pull(caller, each) and self._registry.mount(name, digest, each)
            for each in sources
        )

    async def _receive(self, session: Session, request: Request) -> None:
        """Take the body to the end of what is there. Raises Problem when it belongs elsewhere."""
        if match := _CONTENT_RANGE.fullmatch(request.headers.get("content-range", "")):
            start, end = int(match[1]), int(match[2])
            length = request.headers.get("content-length", "")
            if start != session.offset or (length and int(length) != end - start + 1):
                raise Problem("RANGE_INVALID", headers=progress(session))
        await session.append(request.body)

    async def _finish(self, session: Session, digest: Digest) -> Response:
        await self._registry.finish_upload(session, digest)
        return created(session.name, digest)

    # -- lists -----------------------------------------------------------------------------------

    def _list(self, place: Tags | Referrers, request: Request) -> Response:
        match place:
            case Tags(name):
                after, limit = page_asked(request)
                found = self._registry.tags(name, after, limit + 1)
                body = encode(TagList(name=name, tags=tuple(found[:limit])))
                return page_response(request, body, found, limit)
            case Referrers(name, digest):
                return self._referrers(name, Digest(digest), request)

    def _referrers(self, name: str, digest: Digest, request: Request) -> Response:
        query = request.query()
        wanted = query.get("artifactType", [""])[0]
        found = [
            each
            for each in self._registry.referrers(name, digest)
            if not wanted or each.artifact_type == wanted
        ]
        after = query.get("last", [""])[0]
        digests = [each.digest for each in found]
        start = digests.index(after) + 1 if after in digests else 0
        shown = found[start : start + _REFERRERS_LIMIT]
        headers = {"Content-Type": OCI_INDEX}
        if wanted:
            headers["OCI-Filters-Applied"] = "artifactType"
        if start + len(shown) < len(found):
            following = {"last": shown[-1].digest, **({"artifactType": wanted} if wanted else {})}
            headers["Link"] = f'<{request.path}?{urlencode(following)}>; rel="next"'
        return Response(headers=headers, body=encode(Index(manifests=tuple(shown))))

    def _catalog(self, request: Request, caller: Caller) -> Response:
        only(request, "GET")
        after, limit = page_asked(request)
        visible = [
            name
            for name in rows.repositories(self._registry.db, after)
            if self._door.may_pull(caller, name)
        ]
        body = encode(CatalogDocument(repositories=tuple(visible[:limit])))
        return page_response(request, body, visible[: limit + 1], limit)

    # -- people ----------------------------------------------------------------------------------

    def _for_people(self, place: Search | Page, request: Request, caller: Caller) -> Response:
        only(request, "GET")
        match place:
            case Search(ping=True):
                return Response(headers=JSON, body=b"true")
            case Search():
                query = request.query()
                found = search(
                    self._registry,
                    query.get("q", [""])[0],
                    query.get("n", ["25"])[0],
                    lambda name: self._door.may_pull(caller, name),
                )
                return Response(headers=JSON, body=json.dumps(found).encode())
            case Page(name, tag):
                return self._page(name, tag, caller)

    def _page(self, name: str, tag: str, caller: Caller) -> Response:
        if not name:
            lines = list_repositories(
                self._registry, lambda each: self._door.may_pull(caller, each)
            )
            body = page.list_page(lines)
        else:
            if not self._door.may_pull(caller, name):
                raise Problem("NAME_UNKNOWN")
            body = page.repository_page(name, describe_tags(self._registry, name, tag))
        return Response(headers=_HTML, body=body.encode())

    # -- permission ------------------------------------------------------------------------------

    def _may_write(self, request: Request, caller: Caller, name: str, *rights: str) -> None:
        self._door.require(request, caller, name, *rights)
        if self._mirror is not None:
            raise Problem("UNSUPPORTED", "this registry is a cache: push to its origin")
        if self._read_only:
            raise Problem("UNSUPPORTED", "this registry is read-only")


def _ns(request: Request) -> str:
    """The registry that a client of a mirror means. Source: containerd, hosts.toml."""
    return request.query().get("ns", [""])[0]


def _tagged(name: str, tag: str) -> object:
    return place_of(f"/v2/{name}/manifests/{tag}")
