"""What `save` writes: one tar that is an OCI layout and a docker archive at once.

The plan is a list of parts: bytes made here, and stretches of stored layers. So the size is known
before the first byte, and whoever sends it may let the kernel copy the layers.

Source: Docker 25 and later, `docker save`; OCI image-spec, image-layout.md.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from knarr.content import digest_of
from knarr.ids import DiffId, Digest, ImageId
from knarr.image.model import Image, created_ns
from knarr.image.platforms import plain_layer, plain_manifest, reindexed
from knarr.reference import Reference
from knarr.snapshot import Layer
from knarr.snapshot.tar import END, Member, formatted, header, padding
from knarr.spec.docker.archive import ArchiveImage
from knarr.spec.document import encode
from knarr.spec.oci.image import OCI_INDEX, OCI_MANIFEST, Descriptor, Index, Manifest
from knarr.spec.oci.platform import platform_of

_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_NAME: Final = "io.containerd.image.name"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_BLOBS: Final = "blobs/sha256/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A layer's whole tar, to be sent as it lies on the disk."""

    diff_id: DiffId
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """An image and the names under which it is saved; none when it was called by its ID.

    platforms: the others of these names, each with its layers; then ``index`` is what they are
    named by, and ``digest`` the image's own manifest there, with these annotations.
    """

    image: Image
    layers: Sequence[Layer]
    tags: tuple[Reference, ...]
    index: Index | None = None
    digest: Digest | None = None
    annotations: Mapping[str, str] | None = None
    platforms: Sequence["Saved"] = ()

    @property
    def everyone(self) -> Sequence["Saved"]:
        """All platforms, this image last: who loads all of them under one name ends with it."""
        return (*self.platforms, self)


Part = bytes | Stored


def parts(images: Sequence[Saved]) -> list[Part]:
    """The archive, in order. Pure."""
    everyone = [each for saved in images for each in saved.everyone]
    layers = {layer.diff_id: layer for saved in everyone for layer in saved.layers}
    blobs = {digest_of(saved.image.raw): saved.image.raw for saved in everyone}
    manifests = {saved.image.id: encode(_manifest(saved)) for saved in everyone}
    indexes = {saved.image.id: encode(_inner(saved, manifests)) for saved in images if saved.index}
    blobs.update((digest_of(each), each) for each in (*manifests.values(), *indexes.values()))
    newest_ns = max((created_ns(saved.image.document) for saved in everyone), default=0)
    built: list[Part] = []

    def add(name: str, content: bytes | Layer) -> None:
        size = content.tar_bytes if isinstance(content, Layer) else len(content)
        built.append(_header(name, size, newest_ns))
        if isinstance(content, Layer):
            built.append(Stored(diff_id=content.diff_id, size_bytes=size))
        elif content:
            built.append(content)
        built.append(bytes(padding(size)))

    built += [_header(name, 0, newest_ns) for name in ("blobs/", _BLOBS)]
    for digest in sorted({*layers, *blobs}):
        layer = layers.get(DiffId(digest))
        add(_path(digest), layer if layer is not None else blobs[digest])
    add("index.json", encode(_index(images, manifests, indexes)))
    add("manifest.json", encode([_entry(saved) for saved in everyone]))
    add("oci-layout", _LAYOUT)
    if repositories := _repositories(images):
        add("repositories", encode(repositories))
    built.append(END)
    return list(_joined(built))


def size_bytes(archive: Iterable[Part]) -> int:
    return sum(part.size_bytes if isinstance(part, Stored) else len(part) for part in archive)


def _joined(built: Iterable[Part]) -> Iterator[Part]:
    """Neighbouring bytes as one part."""
    gathered = b""
    for part in built:
        if isinstance(part, bytes):
            gathered += part
            continue
        if gathered:
            yield gathered
        gathered = b""
        yield part
    if gathered:
        yield gathered


def _header(name: str, size: int, time_ns: int) -> bytes:
    folder = name.endswith("/")
    kind = header.DIRECTORY if folder else header.REGULAR
    return formatted(
        Member(os.fsencode(name), kind, 0o755 if folder else 0o644, 0, 0, size, time_ns)
    )


def _path(digest: str) -> str:
    return _BLOBS + digest.removeprefix("sha256:")


def _manifest(saved: Saved) -> Manifest:
    return plain_manifest(saved.image, saved.layers, saved.annotations)


def _described(saved: Saved, manifest: bytes) -> Descriptor:
    return Descriptor(
        media_type=OCI_MANIFEST,
        digest=digest_of(manifest),
        size=len(manifest),
        platform=platform_of(saved.image.document),
    )


def _inner(saved: Saved, manifests: Mapping[ImageId, bytes]) -> Index:
    """The index of one name, of the platforms that are saved."""
    assert saved.index is not None
    return reindexed(
        saved.index,
        {
            each.digest: _described(each, manifests[each.image.id])
            for each in saved.everyone
            if each.digest is not None
        },
    )


def _index(
    images: Sequence[Saved],
    manifests: Mapping[ImageId, bytes],
    indexes: Mapping[ImageId, bytes],
) -> Index:
    """An entry for each name, and for each image without one."""
    entries = []
    for saved in images:
        inner = indexes.get(saved.image.id)
        plain = _described(saved, manifests[saved.image.id])
        if inner is not None:
            plain = Descriptor(media_type=OCI_INDEX, digest=digest_of(inner), size=len(inner))
        entries += [_named(plain, tag) for tag in saved.tags] or [plain]
    return Index(manifests=tuple(entries))


def _named(plain: Descriptor, tag: Reference) -> Descriptor:
    return Descriptor(
        media_type=plain.media_type,
        digest=plain.digest,
        size=plain.size,
        platform=plain.platform,
        annotations={_NAME: str(tag), _REF_NAME: tag.tag},
    )


def _entry(saved: Saved) -> ArchiveImage:
    return ArchiveImage(
        config=_path(saved.image.id),
        repo_tags=tuple(tag.familiar for tag in saved.tags),
        layers=tuple(_path(layer.diff_id) for layer in saved.layers),
        parent=saved.image.parent or "",
        layer_sources={layer.diff_id: plain_layer(layer) for layer in saved.layers},
    )


def _repositories(images: Sequence[Saved]) -> dict[str, dict[str, str]]:
    """For readers of long ago: the top layer of each tag."""
    found: dict[str, dict[str, str]] = {}
    for saved in images:
        for tag in saved.tags:
            top = saved.layers[-1].diff_id if saved.layers else saved.image.id
            found.setdefault(tag.familiar_name, {})[tag.tag] = Digest(top).removeprefix("sha256:")
    return found
