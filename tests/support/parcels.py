"""Images made for a push, and the push of one, without an engine around them."""

import gzip
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from knarr.content import BlobStore
from knarr.ids import DiffId, Digest
from knarr.reference import Reference
from knarr.registry.cancellation import Cancellation
from knarr.registry.manifests import Fetched, digest_of
from knarr.registry.push import Parcel, Pusher
from knarr.registry.registries import Logins
from knarr.spec import encode
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.progress import PushResult
from knarr.spec.oci.image import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
)
from knarr.spec.oci.platform import parse_platform
from support.registry import tar_of

if TYPE_CHECKING:
    from integration.registry.conftest import Desk


@dataclass(frozen=True)
class Packed:
    """A layer that is packed when it is asked for."""

    tar: bytes
    blobs: BlobStore
    neighbours: Sequence[str] = ()
    came: Digest | None = None

    @property
    def diff_id(self) -> DiffId:
        return DiffId(Digest("sha256:" + hashlib.sha256(self.tar).hexdigest()))

    def pack(self, cancellation: Cancellation) -> Descriptor:
        blob = self.blobs.put(gzip.compress(self.tar, 1, mtime=0))
        return Descriptor(media_type=OCI_LAYER_GZIP, digest=blob.digest, size=blob.size_bytes)


def parcel(
    blobs: BlobStore,
    *tars: bytes,
    neighbours: Sequence[str] = (),
    architecture: str = "amd64",
) -> Parcel:
    layers = [Packed(tar, blobs, neighbours) for tar in tars]
    document = {
        "architecture": architecture,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    raw = json.dumps(document).encode()
    config = Fetched(raw=raw, media_type=OCI_CONFIG, digest=digest_of(raw))

    def documents(descriptors: Sequence[Descriptor]) -> list[Fetched]:
        manifest = encode(Manifest(config=config.descriptor, layers=tuple(descriptors)))
        return [Fetched(raw=manifest, media_type=OCI_MANIFEST, digest=digest_of(manifest))]

    return Parcel(layers=layers, configs=[config], documents=documents)


def several(blobs: BlobStore, tars: Mapping[str, bytes]) -> Parcel:
    """An index of images of one layer each, by platform."""
    platforms = {each: parse_platform(each) for each in tars}
    images = [
        parcel(blobs, tars[name], architecture=platform.architecture)
        for name, platform in platforms.items()
    ]

    def documents(descriptors: Sequence[Descriptor]) -> list[Fetched]:
        children = [
            image.documents([layer])[0] for image, layer in zip(images, descriptors, strict=True)
        ]
        entries = [
            msgspec.structs.replace(child.descriptor, platform=platform)
            for child, platform in zip(children, platforms.values(), strict=True)
        ]
        raw = encode(Index(manifests=tuple(entries)))
        return [*children, Fetched(raw=raw, media_type=OCI_INDEX, digest=digest_of(raw))]

    return Parcel(
        layers=[layer for image in images for layer in image.layers],
        configs=[config for image in images for config in image.configs],
        documents=documents,
    )


def noise(size: int, seed: int = 0) -> bytes:
    return tar_of({"noise": random.Random(seed).randbytes(size)})


async def push(
    desk: "Desk", name: str, what: Parcel, login: AuthConfig | None = None
) -> PushResult:
    reference = Reference.parse(name).tagged()
    pusher = Pusher(desk.registries, desk.blobs)
    try:
        logins = Logins.for_reference(login or AuthConfig(), reference)
        return await pusher.push(reference, logins, what, desk.told.append)
    finally:
        pusher.close()
