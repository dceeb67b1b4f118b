"""A registry's refusals, from the serving side: codes, statuses, and their body.

Pure. Source: OCI distribution-spec 1.1, "Error Codes"; statuses as distribution/distribution sends.
"""

from collections.abc import Mapping
from typing import Any, Final

from knarr.errors import KnarrError, status_of
from knarr.http.message import Response
from knarr.spec import encode
from knarr.spec.oci.distribution import RegistryErrorItem, RegistryErrors

STATUS: Final = {
    "BLOB_UNKNOWN": 404, "BLOB_UPLOAD_INVALID": 404, "BLOB_UPLOAD_UNKNOWN": 404,
    "DIGEST_INVALID": 400, "MANIFEST_BLOB_UNKNOWN": 400, "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404, "NAME_INVALID": 400, "NAME_UNKNOWN": 404,
    "PAGINATION_NUMBER_INVALID": 400, "RANGE_INVALID": 416, "SIZE_INVALID": 413,
    "TAG_INVALID": 400, "UNAUTHORIZED": 401, "DENIED": 403, "UNSUPPORTED": 405,
    "TOOMANYREQUESTS": 429, "UNKNOWN": 500, "UNAVAILABLE": 503,
}  # fmt: skip

WORDS: Final = {
    "BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UPLOAD_INVALID": "blob upload invalid",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "MANIFEST_BLOB_UNKNOWN": "manifest references a manifest or blob unknown to registry",
    "MANIFEST_INVALID": "manifest invalid",
    "MANIFEST_UNKNOWN": "manifest unknown",
    "NAME_INVALID": "invalid repository name",
    "NAME_UNKNOWN": "repository name not known to registry",
    "PAGINATION_NUMBER_INVALID": "invalid number of results requested",
    "RANGE_INVALID": "invalid content range",
    "SIZE_INVALID": "provided length did not match content length, or is too large",
    "TAG_INVALID": "manifest tag did not match URI",
    "UNAUTHORIZED": "authentication required",
    "DENIED": "requested access to the resource is denied",
    "UNSUPPORTED": "the operation is unsupported",
    "TOOMANYREQUESTS": "too many requests",
}

JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


class Problem(KnarrError):
    """A refusal with a code of the specification's."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or WORDS.get(code, code))
        self.code, self.detail, self.headers = code, detail, headers or {}

    def response(self) -> Response:
        return _response(STATUS[self.code], self.code, str(self), self.detail, self.headers)


def response_to(error: KnarrError) -> Response:
    """Any failure as a registry tells it."""
    if isinstance(error, Problem):
        return error.response()
    status = status_of(error)
    code = next((code for code, value in STATUS.items() if value == status), "UNKNOWN")
    code = {400: "UNSUPPORTED", 404: "NAME_UNKNOWN", 503: "UNAVAILABLE"}.get(status, code)
    return _response(status, code, str(error), None, {})


def _response(
    status: int, code: str, message: str, detail: Any, headers: Mapping[str, str]
) -> Response:
    item = RegistryErrorItem(code=code, message=message, detail=detail)
    body = encode(RegistryErrors(errors=(item,)))
    return Response(status=status, headers={**JSON, **headers}, body=body)
