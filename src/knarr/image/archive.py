"""Which images an archive holds: its manifests read, its promises checked. Pure.

Two forms: Docker's (`manifest.json`, since 25 beside an OCI layout) and the OCI image layout
(`index.json`, perhaps with indexes of platforms inside).

Source: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format";
OCI image-spec, image-layout.md.
"""

import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from knarr.content import Compression
from knarr.errors import InvalidArgument, NotFound
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
from knarr.spec.oci.platform import best, platform_of, platform_text, suits

_NAME: Final = "io.containerd.image.name"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_INDEXES: Final = frozenset({OCI_INDEX, DOCKER_INDEX})
_MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_ATTESTATION: Final = "vnd.docker.reference.type"
_FORMS: Final = {Compression.GZIP: OCI_LAYER_GZIP, Compression.ZSTD: OCI_LAYER_ZSTD}
_ARCHITECTURE: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def machine() -> Platform:
    """The platform whose images run here."""
    name = platform.machine()
    return Platform(os="linux", architecture=_ARCHITECTURE.get(name, name))


def images(received: Received, wanted: Platform | None = None) -> list[NewImage]:
    """What is to be recorded. Raises InvalidArgument where the archive contradicts itself.

    wanted: the platform to take, of images that have several; None is this machine's, or the only
    one that there is. Raises NotFound where the archive does not have it.
    """
    if "manifest.json" in received.texts:
        entries = decode(received.text("manifest.json"), tuple[ArchiveImage, ...])
        chosen = _of_platform([_docker(received, entry) for entry in entries], wanted)
        if chosen or not entries:
            return chosen
    if "index.json" in received.texts:
        index = decode(received.text("index.json"), Index)
        found = [_oci(received, each, wanted) for each in index.manifests]
        chosen = _of_platform([image for image in found if image is not None], wanted)
        if chosen or not any(found):
            return chosen
    if "manifest.json" in received.texts or "index.json" in received.texts:
        raise _lacking(wanted)
    raise InvalidArgument("invalid archive: does not contain a manifest.json or an index.json")


def _of_platform(found: Sequence[NewImage], wanted: Platform | None) -> list[NewImage]:
    """Of images that share a name, which stand for several platforms, the one that is meant."""
    offers = [platform_of(decode(image.config, ImageDocument)) for image in found]
    if wanted is not None:
        pairs = zip(found, offers, strict=True)
        return [image for image, offer in pairs if suits(wanted, offer) is not None]
    kept: list[NewImage] = []
    for image in found:
        rivals = [n for n, other in enumerate(found) if set(other.tags) & set(image.tags)]
        place = best(machine(), [offers[n] for n in rivals])
        if not image.tags or place is None or found[rivals[place]] is image:
            kept.append(image)
    return kept


def _lacking(wanted: Platform | None, offered: Iterable[Platform | None] = ()) -> NotFound:
    there = sorted({platform_text(each) for each in offered if each is not None})
    has = f": it has {', '.join(there)}" if there else ""
    advice = "" if wanted else "; say which one by --platform"
    return NotFound(
        f"the archive has no image for {platform_text(wanted or machine())}{has}{advice}"
    )


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


def _oci(received: Received, descriptor: Descriptor, wanted: Platform | None) -> NewImage | None:
    """None for what is no image: an artifact, an attestation."""
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


def _manifest(
    received: Received, descriptor: Descriptor, wanted: Platform | None
) -> Descriptor | None:
    """The manifest that is meant, through indexes; None where it is of no image.

    Raises NotFound for an index without one for the platform.
    """
    if descriptor.media_type in _INDEXES:
        index = decode(received.text(_path(descriptor.digest)), Index)
        there = [each for each in index.manifests if _path(each.digest) in received.texts
                 and _ATTESTATION not in each.annotations]  # fmt: skip
        place = best(wanted or machine(), [each.platform or machine() for each in there])
        if place is None and wanted is None and len(there) == 1:
            place = 0
        if place is None:
            if not there:
                return None
            raise _lacking(wanted, [each.platform for each in there])
        return _manifest(received, there[place], wanted)
    if descriptor.media_type in _MANIFESTS or not descriptor.media_type:
        return descriptor
    return None


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
