"""An image on its way out: as it came, where all of that is still here, else packed now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET

from knarr.content import Blob, BlobStore, Compression, compressor
from knarr.ids import DiffId, Digest
from knarr.image.model import Image, LayerForm
from knarr.registry import LAYER_COMPRESSION, Cancellation, Fetched, Parcel, digest_of
from knarr.snapshot import Layers
from knarr.spec import decode, encode
from knarr.spec.oci.image import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)

_PIECE: Final = 1 << 20
_DOCKER_LAYERS: Final = {"": DOCKER_LAYER, "gzip": DOCKER_LAYER_GZIP}
_OCI_LAYERS: Final = {"": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}

Forms = Sequence[tuple[Digest, str]]
"""The compressed forms of a layer that are known: digest and media type."""


@dataclass(slots=True, kw_only=True)
class OutgoingImage:
    """One push of one image. ``made``: what was packed for it, pinned until ``unpin``.

    oci: a manifest that is written anew is OCI's, as the index is that names it.
    """

    image: Image
    manifest: Fetched | None
    forms: Mapping[DiffId, Forms]
    neighbours: Mapping[DiffId, Sequence[str]]
    blobs: BlobStore
    layers: Layers
    oci: bool = False
    made: list[LayerForm] = field(default_factory=list)
    shipped: bytes = b""  # the manifest that was sent in the end

    def parcel(self) -> Parcel:
        diff_ids = self.image.diff_ids
        came = self._as_it_came()
        known = dict(zip(diff_ids, came, strict=True)) if came else {}
        needs_oci = self._needs_oci() or bool(self._annotations())
        config_type = OCI_CONFIG if needs_oci else DOCKER_CONFIG
        if came and self.manifest is not None:
            config_type = decode(self.manifest.raw, Manifest).config.media_type
        config = Fetched(raw=self.image.raw, media_type=config_type, digest=self.image.id)
        layers = [
            OutgoingLayer(
                diff_id=diff_id,
                neighbours=self.neighbours[diff_id],
                came=Digest(known[diff_id].digest) if known else None,
                packed=self._packing(diff_id, known.get(diff_id)),
            )
            for diff_id in diff_ids
        ]
        return Parcel(
            layers=layers,
            configs=[config],
            documents=lambda descriptors: [self._document(config, descriptors, bool(came))],
        )

    def unpin(self) -> None:
        for form in self.made:
            self.blobs.unpin(form.blob.digest)

    def _as_it_came(self) -> list[Descriptor]:
        """The layers by the manifest it came with; none, unless all of them are here."""
        if self.manifest is None:
            return []
        document = decode(self.manifest.raw, Manifest)
        fits = document.config.digest == self.image.id
        whole = all(self.blobs.has(Digest(each.digest)) for each in document.layers)
        same = len(document.layers) == len(self.image.diff_ids)
        return list(document.layers) if fits and whole and same else []

    def _annotations(self) -> dict[str, str]:
        """Of the manifest it has, which stay when it is packed anew. Docker's has none."""
        found = decode(self.manifest.raw, Manifest).annotations if self.manifest else UNSET
        return found or {}

    def _needs_oci(self) -> bool:
        """Docker's own format has no name for zstd."""
        if self.oci:
            return True
        best = (self._present(diff_id) for diff_id in self.image.diff_ids)
        return any(each and LAYER_COMPRESSION[each.media_type] == "zstd" for each in best)

    def _present(self, diff_id: DiffId) -> Descriptor | None:
        """A form that is here, smallest first where there are several."""
        found = [
            Descriptor(media_type=media_type, digest=digest, size=self._size(digest))
            for digest, media_type in self.forms[diff_id]
            if media_type in LAYER_COMPRESSION and self.blobs.has(digest)
        ]
        return min(found, key=lambda each: each.size, default=None)

    def _size(self, digest: Digest) -> int:
        return self.blobs.path(digest).stat().st_size

    def _packing(
        self, diff_id: DiffId, known: Descriptor | None
    ) -> Callable[[Cancellation], Descriptor]:
        def pack(cancellation: Cancellation) -> Descriptor:
            ready = known or self._present(diff_id)
            if ready is not None:
                return ready
            blob = self._packed(diff_id, cancellation)
            form = LayerForm(diff_id=diff_id, blob=blob, media_type=DOCKER_LAYER_GZIP)
            self.made.append(form)
            return Descriptor(media_type=form.media_type, digest=blob.digest, size=blob.size_bytes)

        return pack

    def _packed(self, diff_id: DiffId, cancellation: Cancellation) -> Blob:
        packer = compressor(Compression.GZIP)
        with (
            open(self.layers.open_tar(diff_id), "rb", buffering=0) as tar,
            self.blobs.writer() as writer,
        ):
            while chunk := tar.read(_PIECE):
                cancellation.check()
                if packed := packer.compress(chunk):
                    writer.write(packed)
            writer.write(packer.flush())
            return writer.commit()

    def _document(self, config: Fetched, layers: Sequence[Descriptor], as_it_came: bool) -> Fetched:
        if as_it_came and self.manifest is not None:
            self.shipped = self.manifest.raw
            return self.manifest
        document = built_manifest(config.descriptor, layers, self._annotations())
        self.shipped = encode(document)
        return Fetched(
            raw=self.shipped, media_type=document.media_type, digest=digest_of(self.shipped)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingLayer:
    """A layer as the registry room sees it."""

    diff_id: DiffId
    neighbours: Sequence[str]
    came: Digest | None
    packed: Callable[[Cancellation], Descriptor]

    def pack(self, cancellation: Cancellation) -> Descriptor:
        return self.packed(cancellation)


def built_manifest(
    config: Descriptor, layers: Sequence[Descriptor], annotations: Mapping[str, str] | None = None
) -> Manifest:
    """In Docker's format, which every registry and engine reads; OCI's where it must be. Pure."""
    kinds = [LAYER_COMPRESSION[layer.media_type] for layer in layers]
    is_oci = config.media_type == OCI_CONFIG or "zstd" in kinds
    names = _OCI_LAYERS if is_oci else _DOCKER_LAYERS
    return Manifest(
        media_type=OCI_MANIFEST if is_oci else DOCKER_MANIFEST,
        config=Descriptor(
            media_type=OCI_CONFIG if is_oci else DOCKER_CONFIG,
            digest=config.digest,
            size=config.size,
        ),
        layers=tuple(
            Descriptor(media_type=names[kind], digest=layer.digest, size=layer.size)
            for kind, layer in zip(kinds, layers, strict=True)
        ),
        annotations=dict(annotations) if annotations else UNSET,
    )
