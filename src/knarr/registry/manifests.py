"""Manifests and indexes as they come: read, judged, and the one for a platform chosen.

Pure. A registry is not trusted: what it names a document must agree with what the document is,
sizes and counts are bounded, and what an engine cannot run is refused with its reason.
Source: OCI image-spec 1.1, manifest.md, image-index.md; distribution, schema 2.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from knarr.errors import InvalidArgument, KnarrError, NotFound, Unsupported
from knarr.ids import DiffId, Digest, ImageId, is_digest, other_algorithm
from knarr.spec import decode
from knarr.spec.document import CamelDocument
from knarr.spec.oci.image import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
    ImageDocument,
    Index,
    Manifest,
    Platform,
)
from knarr.spec.oci.platform import best, platform_text

MANIFEST_LIMIT: Final = 4 << 20
"""Bytes of a manifest or an index; the size that every registry should take."""

CONFIG_LIMIT: Final = 8 << 20
LAYERS_LIMIT: Final = 4096
DOCKER_LAYER_ZSTD: Final = "application/vnd.docker.image.rootfs.diff.tar.zstd"
INDEX_TYPES: Final = (OCI_INDEX, DOCKER_INDEX)
MANIFEST_TYPES: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
_SCHEMA1_TYPES: Final = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
ACCEPTED: Final = (*MANIFEST_TYPES, *INDEX_TYPES)
"""What is asked for. Registries that still have schema 1 then convert nothing for us."""

LAYER_COMPRESSION: Final = {
    OCI_LAYER: "", DOCKER_LAYER: "", OCI_LAYER_GZIP: "gzip", DOCKER_LAYER_GZIP: "gzip",
    OCI_LAYER_ZSTD: "zstd", DOCKER_LAYER_ZSTD: "zstd",
}  # fmt: skip
_FOREIGN: Final = ("nondistributable", ".foreign.")
_CONFIG_TYPES: Final = (OCI_CONFIG, DOCKER_CONFIG)
_ATTESTATION: Final = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A document as a registry sent it, byte for byte, with the digest of these bytes."""

    raw: bytes
    media_type: str
    digest: Digest

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.raw))

    def as_referrer(self) -> Descriptor:
        """As a list of referrers shows it: with its kind and its annotations."""
        document = decode(self.raw, _Referring)
        return Descriptor(
            media_type=self.media_type,
            digest=self.digest,
            size=len(self.raw),
            artifact_type=document.artifact_type or document.config.media_type,
            annotations=document.annotations,
        )

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLayer:
    """A layer as its registry keeps it, and what it must unpack to.

    compression: ``gzip``, ``zstd``, or empty.
    """

    descriptor: Descriptor
    diff_id: DiffId
    compression: str

    @property
    def digest(self) -> Digest:
        return Digest(self.descriptor.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteImage:
    """One image for one platform, judged: its manifest, its config, its layers from the lowest.

    root: what the name stands for in the registry: an index, or the manifest itself.
    """

    root: Fetched
    manifest: Fetched
    config: Fetched
    document: ImageDocument
    layers: tuple[RemoteLayer, ...]

    @property
    def id(self) -> ImageId:
        return ImageId(self.config.digest)


class _Referring(CamelDocument):
    """What a manifest or an index says of itself to those who look for its subject."""

    artifact_type: str = ""
    config: Descriptor = Descriptor()
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    subject: Descriptor | None = None


def subject_of(document: Fetched) -> Descriptor | None:
    """The manifest which this one is about, such as the signed one of a signature."""
    return decode(document.raw, _Referring).subject


def digest_of(raw: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(raw).hexdigest())


def received(raw: bytes, content_type: str, expected: str | None, about: str) -> Fetched:
    """A manifest or index as it came, its kind settled. Raises KnarrError when it is not as told.

    content_type: of the answer; may be missing or vague, then the document's own word counts.
    expected: digest it was asked for by.
    about: the name for messages.
    """
    digest = digest_of(raw)
    if expected and digest != expected:
        raise KnarrError(
            f"manifest verification failed for digest {expected}: {about} was answered with"
            f" {digest}"
        )
    named = content_type.partition(";")[0].strip().lower()
    return Fetched(raw=raw, media_type=_settled_type(raw, named, about), digest=digest)


def _settled_type(raw: bytes, named: str, about: str) -> str:
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument(f"manifest of {about} is not JSON") from None
    if not isinstance(document, dict):
        raise InvalidArgument(f"manifest of {about} is not a JSON object")
    inner = document.get("mediaType")
    if named in _SCHEMA1_TYPES or document.get("schemaVersion") == 1:
        raise Unsupported(
            f"{about} is an image in the obsolete schema 1 format, which cannot be verified:"
            " ask its author to push it again in OCI format or schema 2"
        )
    if named in ACCEPTED and inner and inner != named:
        raise InvalidArgument(f"manifest of {about} is sent as {named} and calls itself {inner}")
    settled = named if named in ACCEPTED else inner or _guessed(document)
    if settled not in ACCEPTED:
        raise Unsupported(f"manifest of {about} has the unknown media type {settled or named!r}")
    _refuse_ambiguity(document, settled, about)
    return str(settled)


def _guessed(document: dict[str, Any]) -> str:
    """OCI documents need not name their type; their fields tell."""
    if "manifests" in document:
        return OCI_INDEX
    return OCI_MANIFEST if "config" in document else ""


def _refuse_ambiguity(document: dict[str, Any], media_type: str, about: str) -> None:
    """A document that could be read as either kind means two images under one digest."""
    foreign = ("layers", "config") if media_type in INDEX_TYPES else ("manifests",)
    for name in foreign:
        if document.get(name):
            raise InvalidArgument(f"manifest of {about} is {media_type} and has {name!r} too")


def read_index(fetched: Fetched) -> Index:
    return decode(fetched.raw, Index)


def chosen(index: Index, wanted: Platform, about: str) -> Descriptor:
    """The manifest for a platform. Raises NotFound, in Docker's words, when there is none.

    Attestations and indexes within the index are no candidates.
    """
    candidates = [each for each in index.manifests if _is_candidate(each)]
    found = best(wanted, [each.platform for each in candidates])
    if found is None:
        offered = sorted({platform_text(each.platform) for each in candidates if each.platform})
        hint = f" ({about} is there for {', '.join(offered)})" if offered else ""
        raise NotFound(
            f"no matching manifest for {platform_text(wanted)} in the manifest list entries{hint}"
        )
    return _checked_descriptor(candidates[found], MANIFEST_LIMIT, about)


def _is_candidate(entry: Descriptor) -> bool:
    return entry.media_type not in INDEX_TYPES and not is_attestation(entry)


def is_attestation(entry: Descriptor) -> bool:
    unknown = entry.platform is not None and entry.platform.os == "unknown"
    return unknown or _ATTESTATION in entry.annotations


def image_config(manifest: Fetched, about: str) -> Descriptor:
    """The descriptor of the image's config. Raises Unsupported when it is no image of ours."""
    config = decode(manifest.raw, Manifest).config
    if config.media_type not in _CONFIG_TYPES:
        raise Unsupported(
            f"{about} is not a container image: its config has the media type {config.media_type!r}"
        )
    return _checked_descriptor(config, CONFIG_LIMIT, about)


def assembled(root: Fetched, manifest: Fetched, config: Fetched, about: str) -> RemoteImage:
    """The image, when manifest and config agree. Raises KnarrError when they do not."""
    descriptors = decode(manifest.raw, Manifest).layers
    document = decode(config.raw, ImageDocument)
    return RemoteImage(
        root=root,
        manifest=manifest,
        config=config,
        document=document,
        layers=_layers(descriptors, document.rootfs.diff_ids, about),
    )


def _layers(
    descriptors: Sequence[Descriptor], diff_ids: Sequence[str], about: str
) -> tuple[RemoteLayer, ...]:
    if len(descriptors) > LAYERS_LIMIT:
        raise InvalidArgument(f"{about} has {len(descriptors)} layers; {LAYERS_LIMIT} is the limit")
    if len(descriptors) != len(diff_ids):
        raise InvalidArgument("layers from manifest don't match image configuration")
    if not all(is_digest(each) for each in diff_ids):
        raise InvalidArgument("invalid rootfs in image configuration")
    return tuple(
        RemoteLayer(
            descriptor=_checked_descriptor(descriptor, None, about),
            diff_id=DiffId(Digest(diff_id)),
            compression=_compression(descriptor, about),
        )
        for descriptor, diff_id in zip(descriptors, diff_ids, strict=True)
    )


def _compression(layer: Descriptor, about: str) -> str:
    if layer.media_type in LAYER_COMPRESSION:
        return LAYER_COMPRESSION[layer.media_type]
    if any(mark in layer.media_type for mark in _FOREIGN):
        raise Unsupported(
            f"{about} has a foreign layer ({layer.digest}): it is not kept in the registry but at"
            " an address of its maker's, and is meant for other systems"
        )
    raise Unsupported(f"{about} has a layer of the unknown media type {layer.media_type!r}")


def _checked_descriptor(descriptor: Descriptor, limit: int | None, about: str) -> Descriptor:
    if algorithm := other_algorithm(descriptor.digest):
        raise Unsupported(
            f"{about} names its parts by {algorithm}: only sha256 digests can be checked here"
        )
    if not is_digest(descriptor.digest):
        raise InvalidArgument(f"manifest of {about} has an invalid digest {descriptor.digest!r}")
    if descriptor.size < 0 or (limit is not None and descriptor.size > limit):
        raise InvalidArgument(
            f"manifest of {about} gives {descriptor.digest} an impossible size of"
            f" {descriptor.size} bytes"
        )
    return descriptor
