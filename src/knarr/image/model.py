"""An image as the engine knows it, and what is told of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from knarr.content import Blob, digest_of
from knarr.errors import InvalidArgument
from knarr.ids import ContainerId, DiffId, Digest, ImageId
from knarr.reference import Reference
from knarr.snapshot import Layer
from knarr.spec.docker.image import ImageConfig
from knarr.spec.oci.image import ImageDocument
from knarr.times import rfc3339_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A config, a chain of layers, and the names that lead to them."""

    id: ImageId
    document: ImageDocument
    raw: bytes  # the config as it came; its digest is the ID
    tags: tuple[Reference, ...] = ()
    repo_digests: tuple[Reference, ...] = ()
    platform_names: tuple[Reference, ...] = ()  # lead here only if its platform is asked for
    size_bytes: int = 0  # of all files in all layers
    parent: ImageId | None = None  # the local image this one was built or committed from
    manifest: Digest | None = None  # the manifest it came with
    tagged_ns: int | None = None  # when it last got a name; nanoseconds since the epoch

    @property
    def diff_ids(self) -> tuple[DiffId, ...]:
        """The layers, lowest first."""
        return tuple(DiffId(Digest(each)) for each in self.document.rootfs.diff_ids)

    @property
    def config(self) -> ImageConfig:
        return self.document.config or ImageConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerForm:
    """A compressed form of a layer, stored and pinned."""

    diff_id: DiffId
    blob: Blob
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An image that is to be recorded: its layers are stored and pinned, and perhaps without rows.

    Layers of the config that are not in ``layers`` must have rows already.
    """

    config: bytes  # its digest will be the ID
    layers: tuple[Layer, ...] = ()
    tags: tuple[Reference, ...] = ()
    repo_digests: tuple[Reference, ...] = ()
    parent: ImageId | None = None
    manifest: bytes = b""  # as it came, where it came with one; a push sends it again
    forms: tuple[LayerForm, ...] = ()

    @property
    def id(self) -> ImageId:
        return ImageId(digest_of(self.config))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIndex:
    """An index of several platforms that is to be recorded under its names, byte for byte.

    images: those that are here, by the digest of the manifest that the index names them by; at
    least one. manifests: the bytes of these manifests. named: all that the index names.
    attached: blobs of what it names besides images, stored and pinned: they stay as long as it.
    """

    raw: bytes
    media_type: str
    images: Mapping[Digest, ImageId]
    manifests: tuple[bytes, ...] = ()
    named: tuple[Digest, ...] = ()
    attached: tuple[Blob, ...] = ()
    tags: tuple[Reference, ...] = ()
    repo_digests: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIndex:
    """An index that names lead to. images: those that are here, by the digests of manifests."""

    digest: Digest
    media_type: str
    images: Mapping[Digest, ImageId] = field(default_factory=dict)


def created_ns(document: ImageDocument) -> int:
    """When the config says it was made; 0 where it says nothing that is a time."""
    try:
        return rfc3339_ns(document.created)
    except InvalidArgument:
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUser:
    """A container that stands on an image."""

    id: ContainerId
    running: bool


class ImageUsers(Protocol):
    """Who knows which containers stand on an image: the container room, seen from here."""

    def containers_of(self, image: ImageId) -> tuple[ImageUser, ...]: ...


class NoUsers:
    """For an engine without containers: tools and tests."""

    def containers_of(self, image: ImageId) -> tuple[ImageUser, ...]:  # noqa: ARG002
        return ()
