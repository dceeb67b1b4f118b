"""Images as the Engine API shows them.

Source: Engine API, ImageInspect, ImageList, ImageHistory.
"""

from typing import Any

import msgspec

from knarr.spec.docker.health import HealthConfig
from knarr.spec.docker.storage import DriverData
from knarr.spec.document import Document


class OCIPlatform(Document, omit_defaults=True):
    architecture: str = msgspec.field(name="architecture", default="")
    os: str = msgspec.field(name="os", default="")
    os_version: str = msgspec.field(name="os.version", default="")
    variant: str = msgspec.field(name="variant", default="")
    os_features: tuple[str, ...] | msgspec.UnsetType = msgspec.field(
        name="os.features", default=msgspec.UNSET
    )


class OCIDescriptor(Document):
    media_type: str = msgspec.field(name="mediaType", default="")
    digest: str = msgspec.field(name="digest", default="")
    size: int = msgspec.field(name="size", default=0)
    urls: tuple[str, ...] | None = msgspec.field(name="urls", default=None)
    annotations: dict[str, str] | None = msgspec.field(name="annotations", default=None)
    data: str | None = msgspec.field(name="data", default=None)
    platform: OCIPlatform | None = msgspec.field(name="platform", default=None)
    artifact_type: str | None = msgspec.field(name="artifactType", default=None)


class ManifestSize(Document):
    """Bytes on the disk: as they came, and in all."""

    content: int = 0
    total: int = 0


class ImageManifestSize(Document):
    unpacked: int = 0


class ImageManifestData(Document):
    platform: OCIPlatform | None = None
    containers: tuple[str, ...] = ()
    size: ImageManifestSize = ImageManifestSize()


class AttestationData(Document):
    for_digest: str = msgspec.field(name="For", default="")


class ManifestSummary(Document):
    """One platform of an image: what lists and inspections show with ``manifests=1``."""

    id: str = msgspec.field(name="ID", default="")
    descriptor: OCIDescriptor | None = None
    available: bool = False
    size: ManifestSize = ManifestSize()
    kind: str = "unknown"
    image_data: ImageManifestData | None = None
    attestation_data: AttestationData | msgspec.UnsetType = msgspec.UNSET


class ImageConfig(Document, omit_defaults=True):
    user: str = ""
    exposed_ports: dict[str, dict[str, Any]] | None = None
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool | None = None
    volumes: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    working_dir: str = ""
    entrypoint: tuple[str, ...] | None = None
    on_build: tuple[str, ...] | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    stop_signal: str | None = None
    shell: tuple[str, ...] | None = None


class RootFS(Document):
    type: str = ""
    layers: tuple[str, ...] = ()


class ImageMetadata(Document):
    last_tag_time: str | None = None


class ImageInspect(Document):
    id: str = ""
    descriptor: OCIDescriptor | None = None
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    parent: str = ""
    comment: str | None = None
    created: str | None = None
    docker_version: str = ""
    author: str | None = None
    config: ImageConfig | None = None
    architecture: str = ""
    variant: str | None = None
    os: str = ""
    os_version: str | None = None
    size: int = 0
    graph_driver: DriverData | None = None
    rootfs: RootFS | None = msgspec.field(name="RootFS", default=None)
    metadata: ImageMetadata | None = None
    manifests: tuple[ManifestSummary, ...] | msgspec.UnsetType = msgspec.UNSET


class ImageSummary(Document):
    id: str = ""
    parent_id: str = ""
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    created: int = 0
    size: int = 0
    shared_size: int = 0
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    containers: int = 0
    descriptor: OCIDescriptor | None = None
    manifests: tuple[ManifestSummary, ...] | msgspec.UnsetType = msgspec.UNSET


class ImageHistoryItem(Document):
    id: str = ""
    created: int = 0
    created_by: str = ""
    tags: tuple[str, ...] = ()
    size: int = 0
    comment: str = ""


class ImageDeleted(Document, omit_defaults=True):
    untagged: str = ""
    deleted: str = ""


class ImagesPruned(Document):
    images_deleted: tuple[ImageDeleted, ...] = ()
    space_reclaimed: int = 0


class ImageSearchResult(Document):
    description: str = msgspec.field(name="description", default="")
    is_official: bool = msgspec.field(name="is_official", default=False)
    is_automated: bool = msgspec.field(name="is_automated", default=False)
    name: str = msgspec.field(name="name", default="")
    star_count: int = msgspec.field(name="star_count", default=0)


class DistributionInspect(Document):
    descriptor: OCIDescriptor | None = None
    platforms: tuple[OCIPlatform, ...] = ()
