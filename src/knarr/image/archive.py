"""Which images an archive holds: its manifests read, its promises checked. Pure.

Two forms: Docker's (`manifest.json`, since 25 beside an OCI layout) and the OCI image layout
(`index.json`, perhaps with indexes of platforms inside).

Source: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format";
OCI image-spec, image-layout.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from knarr.content import Compression
from knarr.errors import InvalidArgument, NotFound
from knarr.ids import DiffId, Digest, ImageId, is_digest
from knarr.image.model import LayerForm, NewImage, NewIndex
from knarr.image.platforms import machine
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """One name of an archive: its image, or its images of several platforms and their index."""

    images: tuple[NewImage, ...]
    index: NewIndex | None = None
    attached: tuple[bytes, ...] = ()  # blobs of what the index names besides

    @property
    def tags(self) -> tuple[Reference, ...]:
        return self.index.tags if self.index else self.images[0].tags


def images(received: Received, wanted: Sequence[Platform] = ()) -> list[Contained]:
    """What is to be recorded. Raises InvalidArgument where the archive contradicts itself.

    wanted: the platforms to take, of images that have several; all where none is asked for.
    Raises NotFound where the archive has none of them.
    """
    layout = decode(received.text("index.json"), Index) if "index.json" in received.texts else None
    has_indexes = layout and any(each.media_type in _INDEXES for each in layout.manifests)
    if "manifest.json" in received.texts and not has_indexes:
        entries = decode(received.text("manifest.json"), tuple[ArchiveImage, ...])
        chosen = _of_platform([_docker(received, entry) for entry in entries], wanted)
        if chosen or not entries:
            return [Contained(images=(image,)) for image in chosen]
    if layout is not None:
        found = [_oci(received, each, wanted) for each in layout.manifests]
        contained = [each for each in found if each is not None]
        if contained or not layout.manifests:
            return contained
    if "manifest.json" in received.texts or layout is not None:
        raise _lacking(wanted)
    raise InvalidArgument("invalid archive: does not contain a manifest.json or an index.json")


def _of_platform(found: Sequence[NewImage], wanted: Sequence[Platform]) -> list[NewImage]:
    """Of images that share a name, which stand for several platforms, the one that is meant."""
    offers = [platform_of(decode(image.config, ImageDocument)) for image in found]
    if wanted:
        pairs = zip(found, offers, strict=True)
        return [image for image, offer in pairs if _is_wanted(offer, wanted)]
    kept: list[NewImage] = []
    for image in found:
        rivals = [n for n, other in enumerate(found) if set(other.tags) & set(image.tags)]
        place = best(machine(), [offers[n] for n in rivals])
        if not image.tags or place is None or found[rivals[place]] is image:
            kept.append(image)
    return kept


def _is_wanted(offer: Platform, wanted: Sequence[Platform]) -> bool:
    return not wanted or any(suits(each, offer) is not None for each in wanted)


def _lacking(wanted: Sequence[Platform], offered: Iterable[Platform | None] = ()) -> NotFound:
    there = sorted({platform_text(each) for each in offered if each is not None})
    has = f": it has {', '.join(there)}" if there else ""
    asked = ", ".join(platform_text(each) for each in wanted or (machine(),))
    advice = "" if wanted else "; say which one by --platform"
    return NotFound(f"the archive has no image for {asked}{has}{advice}")


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


def _oci(
    received: Received, descriptor: Descriptor, wanted: Sequence[Platform]
) -> Contained | None:
    """None for what is no image: an artifact, an attestation; and for what is not wanted."""
    if descriptor.media_type in _INDEXES:
        return _indexed(received, descriptor, wanted)
    if descriptor.media_type not in _MANIFESTS and descriptor.media_type:
        return None
    image = _image(received, descriptor.digest, tuple(_names(descriptor)))
    offer = platform_of(decode(image.config, ImageDocument))
    return Contained(images=(image,)) if _is_wanted(offer, wanted) else None


def _indexed(
    received: Received, descriptor: Descriptor, wanted: Sequence[Platform], *, within: bool = False
) -> Contained | None:
    """The images of an index whose manifests are in the archive.

    within: it was itself named by an index; one deeper is refused.
    Raises NotFound where it has some, and none that is wanted.
    """
    raw = received.text(_path(descriptor.digest))
    index = decode(raw, Index)
    there = [each for each in index.manifests if _path(each.digest) in received.texts
             and _ATTESTATION not in each.annotations]  # fmt: skip
    inner = [each for each in there if each.media_type in _INDEXES]
    if inner and within:
        raise InvalidArgument("invalid archive: an index of indexes of indexes")
    if inner:  # the names are the outer one's
        return _indexed(received, _renamed(inner[0], descriptor), wanted, within=True)
    meant = [each for each in there if _is_wanted(each.platform or machine(), wanted)]
    if not meant:
        if not there:
            return None
        raise _lacking(wanted, [each.platform for each in there])
    images = {Digest(each.digest): _image(received, each.digest, ()) for each in meant}
    return Contained(
        images=tuple(images.values()),
        index=NewIndex(
            raw=raw,
            media_type=index.media_type or descriptor.media_type,
            images={digest: image.id for digest, image in images.items()},
            manifests=tuple(image.manifest for image in images.values()),
            named=tuple(Digest(each.digest) for each in index.manifests),
            tags=tuple(_names(descriptor)),
        ),
        attached=tuple(_attached(received, index)),
    )


def _attached(received: Received, index: Index) -> Iterator[bytes]:
    """What attests to the images of an index, with its blobs; as far as it is whole."""
    for entry in index.manifests:
        raw = received.texts.get(_path(entry.digest))
        if raw is None or _ATTESTATION not in entry.annotations:
            continue
        document = decode(raw, Manifest)
        parts = [each.digest for each in (document.config, *document.layers)]
        if all(is_digest(each) and _path(each) in received.texts for each in parts):
            yield raw
            yield from (received.texts[_path(each)] for each in parts)


def _renamed(inner: Descriptor, outer: Descriptor) -> Descriptor:
    """The inner descriptor under the outer one's names."""
    return Descriptor(
        media_type=inner.media_type,
        digest=inner.digest,
        size=inner.size,
        annotations=outer.annotations,
    )


def _image(received: Received, digest: str, tags: tuple[Reference, ...]) -> NewImage:
    raw = received.text(_path(digest))
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
        tags=tags,
        layers=tuple(_new_layers(received, names)),
        manifest=raw,
        forms=tuple(forms),
    )


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
