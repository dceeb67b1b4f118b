"""A manifest that is pushed: what it is, and what it names.

Any media type is taken, as the specification asks, as long as it is a JSON object; where it is one
that this registry understands its shape must be right, and what it names must be there.
Pure. Source: OCI distribution-spec 1.1, "Pushing Manifests"; image-spec 1.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from knarr.errors import InvalidArgument
from knarr.ids import Digest, is_digest, other_algorithm
from knarr.registry.manifests import (
    INDEX_TYPES,
    MANIFEST_LIMIT,
    MANIFEST_TYPES,
    Fetched,
    digest_of,
)
from knarr.registry.server.problems import Problem
from knarr.spec import decode
from knarr.spec.document import CamelDocument
from knarr.spec.oci.image import OCI_MANIFEST, Descriptor

_SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1"
_FOREIGN: Final = ("nondistributable", ".foreign.")


class _Manifest(CamelDocument):
    """The fields of all kinds of manifests in which something is named."""

    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a manifest names, and how a list of referrers shows it."""

    blobs: tuple[Digest, ...]
    manifests: tuple[Digest, ...]
    subject: Digest | None
    artifact_type: str
    annotations: Mapping[str, str]


def pushed(raw: bytes, content_type: str, reference: str) -> tuple[Fetched, Judged]:
    """A manifest as it was sent under a tag or a digest. Raises Problem when it cannot be taken."""
    if len(raw) > MANIFEST_LIMIT:
        raise Problem("SIZE_INVALID", f"a manifest is at most {MANIFEST_LIMIT} bytes")
    digest = digest_of(raw)
    if is_digest(reference) and reference != digest:
        raise Problem("DIGEST_INVALID", f"the manifest is {digest}, not {reference}")
    document = _read(raw)
    media_type = content_type.partition(";")[0].strip() or document.media_type or OCI_MANIFEST
    if document.media_type and document.media_type != media_type:
        raise Problem(
            "MANIFEST_INVALID", f"sent as {media_type}, the manifest says {document.media_type}"
        )
    if media_type.startswith(_SCHEMA1):
        raise Problem("MANIFEST_INVALID", "schema 1 manifests are obsolete and not taken")
    fetched = Fetched(raw=raw, media_type=media_type, digest=digest)
    return fetched, _judged(document, media_type)


def _read(raw: bytes) -> _Manifest:
    try:
        if not isinstance(msgspec.json.decode(raw), dict):
            raise Problem("MANIFEST_INVALID", "a manifest is a JSON object")
        return decode(raw, _Manifest)
    except (InvalidArgument, msgspec.DecodeError, RecursionError) as error:
        raise Problem("MANIFEST_INVALID", f"manifest invalid: {error}") from error


def _judged(document: _Manifest, media_type: str) -> Judged:
    if media_type in MANIFEST_TYPES and (document.config is None or document.manifests):
        raise Problem("MANIFEST_INVALID", "an image manifest has a config and no manifests")
    if media_type in INDEX_TYPES and (document.config is not None or document.layers):
        raise Problem("MANIFEST_INVALID", "an index has neither config nor layers")
    config = (document.config,) if document.config else ()
    blobs = (*config, *document.layers, *document.blobs)
    config_type = document.config.media_type if document.config else ""
    return Judged(
        blobs=tuple(_digest(each) for each in blobs if not _is_elsewhere(each)),
        manifests=tuple(_digest(each) for each in document.manifests),
        subject=_digest(document.subject) if document.subject else None,
        artifact_type=document.artifact_type or config_type,
        annotations=document.annotations,
    )


def _is_elsewhere(descriptor: Descriptor) -> bool:
    """A foreign layer, which its manifest says to be at an address of its maker's."""
    return bool(descriptor.urls) or any(mark in descriptor.media_type for mark in _FOREIGN)


def _digest(descriptor: Descriptor) -> Digest:
    if algorithm := other_algorithm(descriptor.digest):
        raise Problem("MANIFEST_INVALID", f"a {algorithm} digest: content is named by sha256 here")
    if not is_digest(descriptor.digest):
        raise Problem("MANIFEST_INVALID", f"invalid digest {descriptor.digest!r}")
    return Digest(descriptor.digest)


def image_parts(raw: bytes) -> tuple[Descriptor | None, tuple[Descriptor, ...], tuple[Any, ...]]:
    """Config, layers, and an index's manifests, for showing. Raises Problem."""
    document = _read(raw)
    return document.config, document.layers, document.manifests
