"""Descriptors, manifests, indexes and image configs.

Source: OCI image-spec 1.1; Docker's media types.
"""

from typing import Any, Final

import msgspec

from knarr.spec.docker.image import ImageConfig
from knarr.spec.document import CamelDocument, SnakeDocument

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD: Final = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ATTESTS: Final = "vnd.docker.reference.digest"
"""To which manifest of its index an entry attests, among its annotations."""


class Platform(CamelDocument):
    """What an image runs on: ``linux/arm64/v8``."""

    architecture: str = ""
    os: str = ""
    os_version: str = msgspec.field(name="os.version", default="")
    os_features: tuple[str, ...] = msgspec.field(name="os.features", default=())
    variant: str = ""


class Descriptor(CamelDocument):
    """A blob by media type, digest and size in bytes."""

    media_type: str = ""
    digest: str = ""
    size: int = 0
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    data: str = ""
    artifact_type: str = ""
    platform: Platform | None = None


class Manifest(CamelDocument, omit_defaults=False):
    """One image for one platform: its config and its layers, lowest first."""

    schema_version: int = 2
    media_type: str = OCI_MANIFEST
    config: Descriptor = Descriptor()
    layers: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    subject: Descriptor | msgspec.UnsetType = msgspec.UNSET
    artifact_type: str | msgspec.UnsetType = msgspec.UNSET


class Index(CamelDocument, omit_defaults=False):
    """Several manifests under one name, a platform each."""

    schema_version: int = 2
    media_type: str = OCI_INDEX
    manifests: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class RootFs(SnakeDocument, omit_defaults=False):
    """The layers by diff ID, lowest first."""

    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class History(SnakeDocument):
    """How one layer, or a change of the config alone, came to be."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class CachedKey(SnakeDocument):
    """A key of knarr's build cache. marks: vertex, layers, time in nanoseconds, of each step."""

    key: str = ""
    marks: tuple[tuple[str, int, int], ...] = ()


class CachedStep(SnakeDocument):
    """A step of a build, for the cache of another engine.

    layers: places in the config's ``rootfs.diff_ids``, lowest first; adds: the last is its own.
    size: bytes of the files in it. time: what it says of itself, nanoseconds since the epoch.
    """

    kind: str = ""
    description: str = ""
    layers: tuple[int, ...] = ()
    adds: bool = False
    size: int = 0
    time: int = 0
    keys: tuple[CachedKey, ...] = ()


class ImageDocument(SnakeDocument):
    """The image config blob, whose digest is the image's ID.

    ``config`` holds Docker's ImageConfig keys. Source: OCI image-spec, config.md.
    """

    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = msgspec.field(name="os.version", default="")
    created: str = ""
    author: str = ""
    config: ImageConfig | None = None
    rootfs: RootFs = RootFs()
    history: tuple[History, ...] = ()
    container_config: dict[str, Any] | None = None
    docker_version: str = ""
    container: str = ""
    comment: str = ""
    build_cache: tuple[CachedStep, ...] = msgspec.field(name="knarr.build.cache", default=())
