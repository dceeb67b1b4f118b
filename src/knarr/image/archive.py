"""Which images an archive holds: its manifests read, its promises checked. Pure.

Two forms: Docker's (`manifest.json`, since 25 beside an OCI layout) and the OCI image layout
(`index.json`, perhaps with indexes of platforms inside).

Source: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format";
OCI image-spec, image-layout.md.
"""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from knarr.content import Compression
from knarr.errors import InvalidArgument
from knarr.ids import DiffId, Digest, ImageId, is_digest
from knarr.image.model import LayerForm, NewImage
from knarr.image.receive import Received
from knarr.reference import Reference
from knarr.snapshot import Layer
from knarr.spec.docker.archive import ArchiveImage
from knarr.spec.document import decode
from knarr.spec.oci.image import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
    ImageDocument,
    Index,
    Manifest,
    Platform,
)

_NAME: Final = "io.containerd.image.name"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_INDEXES: Final = frozenset({OCI_INDEX, DOCKER_INDEX})
_MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_FORMS: Final = {Compression.GZIP: OCI_LAYER_GZIP, Compression.ZSTD: OCI_LAYER_ZSTD}
_ARCHITECTURE: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def machine() -> Platform:
    """The platform whose images run here."""
    name = platform.machine()
    return Platform(os="linux", architecture=_ARCHITECTURE.get(name, name))


def images(received: Received, wanted: Platform) -> list[NewImage]:
    """What is to be recorded. Raises InvalidArgument where the archive contradicts itself.

    ``wanted`` selects from indexes of several platforms; one that is not there is left out.
    """
    if "manifest.json" in received.texts:
        entries = decode(received.text("manifest.json"), tuple[ArchiveImage, ...])
        return [_docker(received, entry) for entry in entries]
    if "index.json" in received.texts:
        index = decode(received.text("index.json"), Index)
        found = [_oci(received, each, wanted) for each in index.manifests]
        return [image for image in found if image is not None]
    raise InvalidArgument("invalid archive: does not contain a manifest.json or an index.json")


def _docker(received: Received, entry: ArchiveImage) -> NewImage:
    config = received.text(entry.config)
    layers = [received.layer(name) for name in entry.layers]
    _check_layers(decode(config, ImageDocument), layers)
    return NewImage(
        config=config,
        tags=tuple(Reference.parse(tag).tagged() for tag in entry.repo_tags),
        layers=tuple(_new_layers(received, entry.layers)),
        parent=ImageId(Digest(entry.parent)) if is_digest(entry.parent) else None,
        forms=tuple(_forms(received, entry.layers)),
    )


def _oci(received: Received, descriptor: Descriptor, wanted: Platform) -> NewImage | None:
    manifest = _manifest(received, descriptor, wanted)
    if manifest is None:
        return None
    raw = received.text(_path(manifest.digest))
    parsed = decode(raw, Manifest)
    names = [_path(layer.digest) for layer in parsed.layers]
    config = received.text(_path(parsed.config.digest))
    _check_layers(decode(config, ImageDocument), [received.layer(name) for name in names])
    types = {_path(layer.digest): layer.media_type for layer in parsed.layers}
    forms = (
        replace(form, media_type=types[_path(form.blob.digest)]) for form in _forms(received, names)
    )
    return NewImage(
        config=config,
        tags=tuple(_names(descriptor)),
        layers=tuple(_new_layers(received, names)),
        manifest=raw,
        forms=tuple(forms),
    )


def _manifest(received: Received, descriptor: Descriptor, wanted: Platform) -> Descriptor | None:
    """The manifest for this machine, through indexes; None where the archive has none."""
    if descriptor.media_type in _INDEXES:
        index = decode(received.text(_path(descriptor.digest)), Index)
        inner = [each for each in index.manifests if fits(each.platform, wanted)]
        there = [each for each in inner if _path(each.digest) in received.texts]
        return _manifest(received, there[0], wanted) if there else None
    if descriptor.media_type in _MANIFESTS or not descriptor.media_type:
        return descriptor
    return None


def fits(offered: Platform | None, wanted: Platform) -> bool:
    """Whether an image for ``offered`` runs on ``wanted``; one that says nothing might."""
    if offered is None or not offered.architecture:
        return True
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return False
    return not (wanted.variant and offered.variant) or wanted.variant == offered.variant


def _names(descriptor: Descriptor) -> Iterator[Reference]:
    """The name in the annotations; a bare tag without a repository is none."""
    name = descriptor.annotations.get(_NAME) or descriptor.annotations.get(_REF_NAME, "")
    if _NAME not in descriptor.annotations and not set(name) & {"/", ":"}:
        return
    yield Reference.parse(name).tagged()


def _new_layers(received: Received, names: Iterable[str]) -> Iterator[Layer]:
    for name in names:
        if (layer := received.layers.get(received.resolved(name))) is not None:
            yield layer


def _forms(received: Received, names: Iterable[str]) -> Iterator[LayerForm]:
    """Blobs in forms that registries take; others have done their duty."""
    for name in names:
        blob, kind = received.blobs.get(received.resolved(name), (None, Compression.NONE))
        if blob is not None and kind in _FORMS:
            yield LayerForm(diff_id=received.layer(name), blob=blob, media_type=_FORMS[kind])


def _check_layers(document: ImageDocument, layers: list[DiffId]) -> None:
    expected = document.rootfs.diff_ids
    if len(expected) != len(layers):
        raise InvalidArgument(
            f"invalid manifest, layers length mismatch: expected {len(expected)}, got {len(layers)}"
        )
    for place, (wanted, got) in enumerate(zip(expected, layers, strict=True)):
        if wanted != got:
            raise InvalidArgument(
                f'invalid diffID for layer {place}: expected "{wanted}", got "{got}"'
            )


def _path(digest: str) -> str:
    if not is_digest(digest):
        raise InvalidArgument(f"invalid archive: '{digest}' is no digest")
    return f"blobs/{digest.replace(':', '/')}"
