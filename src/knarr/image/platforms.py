"""Several platforms under one name: which are meant, and indexes made of images here. Pure."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import UNSET

from knarr.content import digest_of
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import Digest
from knarr.image.annotations import Annotations
from knarr.image.model import Image, NewIndex
from knarr.reference import Reference
from knarr.snapshot import Layer
from knarr.spec.docker.image import OCIPlatform
from knarr.spec.document import encode
from knarr.spec.oci.image import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    Platform,
)
from knarr.spec.oci.platform import platform_of, platform_text, suits

_ARCHITECTURE: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def machine() -> Platform:
    """The platform whose images run here."""
    name = os.uname().machine
    return Platform(os="linux", architecture=_ARCHITECTURE.get(name, name))


def platform_document(platform: Platform) -> OCIPlatform:
    """As the API shows it."""
    return OCIPlatform(
        architecture=platform.architecture,
        os=platform.os,
        os_version=platform.os_version,
        variant=platform.variant,
        os_features=platform.os_features or UNSET,
    )


def those_for(ref: str, offered: Sequence[Image], wanted: Sequence[Platform]) -> list[Image]:
    """The images that are for one of these platforms; all where none is asked for.

    Raises NotFound, in Docker's words, where there is none.
    """
    meant = [
        image
        for image in offered
        if not wanted or any(suits(each, platform_of(image.document)) == 0 for each in wanted)
    ]
    if not meant:
        names = ", ".join(platform_text(each) for each in wanted)
        raise NotFound(
            f"image with reference {ref} was found but does not provide the specified"
            f" platform ({names})"
        )
    return meant


def plain_manifest(
    image: Image, layers: Iterable[Layer], annotations: Mapping[str, str] | None = None
) -> Manifest:
    """Of an image whose layers are tars that nobody packed."""
    return Manifest(
        config=Descriptor(media_type=OCI_CONFIG, digest=image.id, size=len(image.raw)),
        layers=tuple(plain_layer(layer) for layer in layers),
        annotations=dict(annotations) if annotations else UNSET,
    )


def plain_layer(layer: Layer) -> Descriptor:
    return Descriptor(media_type=OCI_LAYER, digest=layer.diff_id, size=layer.tar_bytes)


def made_index(
    parts: Sequence[tuple[Image, Sequence[Layer]]],
    tags: Sequence[Reference],
    annotations: Annotations,
) -> NewIndex:
    """An index of images that were made here, one for each platform.

    Raises InvalidArgument for none, and for two of one platform.
    """
    if not parts:
        raise InvalidArgument("an index needs an image at least")
    platforms = [platform_of(image.document) for image, _ in parts]
    for place, platform in enumerate(platforms):
        if any(suits(platform, other) == 0 for other in platforms[:place]):
            raise InvalidArgument(
                f"two images are for {platform_text(platform)}: an index takes one"
            )
    manifests = [
        encode(plain_manifest(image, layers, annotations.of_manifest(platform)))
        for (image, layers), platform in zip(parts, platforms, strict=True)
    ]
    digests = [digest_of(each) for each in manifests]
    index = Index(
        media_type=OCI_INDEX,
        manifests=tuple(
            Descriptor(
                media_type=OCI_MANIFEST,
                digest=digest,
                size=len(raw),
                platform=platform,
                annotations=dict(annotations.of_descriptor(platform)),
            )
            for raw, digest, platform in zip(manifests, digests, platforms, strict=True)
        ),
        annotations=dict(annotations.of_index()) or UNSET,
    )
    return NewIndex(
        raw=encode(index),
        media_type=index.media_type,
        images={digest: image.id for digest, (image, _) in zip(digests, parts, strict=True)},
        manifests=tuple(manifests),
        named=tuple(digests),
        tags=tuple(tags),
    )


def reindexed(raw: Index, replaced: Mapping[Digest, Descriptor]) -> Index:
    """An index whose manifests were packed anew: those of ``replaced`` by their digest before.

    Others are left out. Platforms and annotations of the entries stay.
    """
    entries = tuple(
        Descriptor(
            media_type=new.media_type,
            digest=new.digest,
            size=new.size,
            platform=entry.platform or new.platform,
            annotations=entry.annotations,
        )
        for entry in raw.manifests
        if (new := replaced.get(Digest(entry.digest))) is not None
    )
    is_oci = any(each.media_type == OCI_MANIFEST for each in entries)
    return Index(
        media_type=OCI_INDEX if is_oci else raw.media_type,
        manifests=entries,
        annotations=raw.annotations,
    )
