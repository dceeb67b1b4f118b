"""The registry's answers, and the parameters of requests, read: everything but the verbs. Pure, but
that an answer may carry an open file.

Source: OCI distribution-spec 1.1; RFC 9110, 14.
"""

import os
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlencode

from knarr.http.message import FileSlice, Request, Response
from knarr.ids import Digest, is_digest
from knarr.registry.server.problems import JSON, Problem
from knarr.registry.server.uploads import Upload as Session

_PAGE_LIMIT: Final = 1000
_OCTETS: Final = {"Content-Type": "application/octet-stream"}
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


def blob_response(fd: int, size: int, digest: Digest, wanted: str) -> Response:
    """A blob, or the range of it that was asked for. ``fd`` is closed when it was sent."""
    span = asked_range(wanted, size)
    headers = blob_headers(digest)
    if span is None:
        return Response(headers=headers, body=FileSlice(fd=fd, offset=0, count=size))
    start, end = span
    if start >= end:
        os.close(fd)
        raise Problem("RANGE_INVALID", headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(
        status=206, headers=headers, body=FileSlice(fd=fd, offset=start, count=end - start)
    )


def asked_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None where the whole is meant.

    An empty range means that it cannot be met. Several ranges are not served: then all is sent.
    Source: RFC 9110, 14.2.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        return max(0, size - int(last)), size if int(last) else 0
    end = min(size, int(last) + 1) if last else size
    if last and int(last) < int(first):
        return None
    return int(first), max(end, 0) if int(first) < size else int(first)


def blob_headers(digest: Digest) -> dict[str, str]:
    return {
        **_OCTETS,
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "max-age=31536000",
    }


def progress(session: Session) -> dict[str, str]:
    """Where an upload goes on, and how far it is."""
    return {
        "Location": f"/v2/{session.name}/blobs/uploads/{session.session}",
        "Docker-Upload-UUID": session.session,
        "Range": f"0-{max(0, session.offset - 1)}",
    }


def accepted(session: Session, status: int) -> Response:
    return Response(status=status, headers=progress(session))


def created(name: str, digest: Digest) -> Response:
    headers = {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest}
    return Response(status=201, headers=headers)


def digest_parameter(request: Request) -> Digest:
    text = request.query().get("digest", [""])[0]
    if not is_digest(text):
        raise Problem("DIGEST_INVALID", "a digest parameter with a sha256 digest is needed")
    return Digest(text)


def page_asked(request: Request) -> tuple[str, int]:
    """The entry to begin after, and how many. Raises Problem for a number that is none."""
    query = request.query()
    number = query.get("n", [str(_PAGE_LIMIT)])[0]
    if not number.isascii() or not number.isdecimal():
        raise Problem("PAGINATION_NUMBER_INVALID", detail={"n": number})
    return query.get("last", [""])[0], min(int(number[:9]), _PAGE_LIMIT)


def page_response(request: Request, body: bytes, found: Sequence[str], limit: int) -> Response:
    headers = dict(JSON)
    if len(found) > limit > 0:
        following = urlencode({"n": limit, "last": found[limit - 1]})
        headers["Link"] = f'<{quote(request.path)}?{following}>; rel="next"'
    return Response(headers=headers, body=body)


def only(request: Request, method: str) -> None:
    if request.method != method and not (method == "GET" and request.method == "HEAD"):
        raise Problem("UNSUPPORTED")
