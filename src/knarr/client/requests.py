"""What goes onto the wire for a request, and what a failed answer says: pure, for both faces."""

from __future__ import annotations

from knarr.client.file_body import FileBody
from knarr.client.lean import TYPE_CHECKING, loads
from knarr.client.wire import request_head
from knarr.errors import error_of

if TYPE_CHECKING:
    from typing import Any

    from knarr.client.endpoint import Endpoint
    from knarr.client.wire import Head
    from knarr.errors import KnarrError

    Headers = tuple[tuple[str, str], ...]

HIJACK = (("Connection", "Upgrade"), ("Upgrade", "tcp"))
RAW_STREAM = "application/vnd.docker.raw-stream"


def framed_head(endpoint: Endpoint, method: str, target: str, headers: Headers, body: Any) -> bytes:
    """The head of a request with its body's framing: what is no file and no bytes is chunked."""
    if endpoint.scheme == "tcp":
        target = endpoint.path + target
    if isinstance(body, (bytes, bytearray)):
        headers = (*headers, ("Content-Length", str(len(body))))
        if not any(name == "Content-Type" for name, _ in headers):
            headers = (*headers, ("Content-Type", "application/json"))
    elif isinstance(body, FileBody):
        headers = (*headers, ("Content-Length", str(body.size_bytes)))
    elif body is not None:
        headers = (*headers, ("Transfer-Encoding", "chunked"))
    elif method in ("POST", "PUT"):
        headers = (*headers, ("Content-Length", "0"))
    return request_head(method, target, endpoint.authority, headers)


def failure(head: Head, body: bytes, endpoint: Endpoint) -> KnarrError:
    """The error of an answer whose status is 400 or more, with the engine's own words."""
    return error_of(head.status, _message(head, body, endpoint))


def _message(head: Head, body: bytes, endpoint: Endpoint) -> str:
    """What an engine says of a failure: ``{"message": ...}``, or text of its own."""
    if head.headers.get("content-type", "").startswith("application/json"):
        try:
            said = loads(body)
        except ValueError:
            said = None
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return str(said["message"]).strip()
    text = body.decode("utf-8", "replace").strip()
    return text or (
        f"request returned {head.status} {head.reason} for {endpoint.text}, "
        "check if the server supports the requested API version"
    )
