"""What is in a registry, as values to show: repositories, tags, images, and how each was made."""

from collections.abc import Callable
from dataclasses import dataclass

from knarr.errors import KnarrError
from knarr.ids import Digest
from knarr.registry.manifests import CONFIG_LIMIT, INDEX_TYPES, is_attestation
from knarr.registry.server import rows
from knarr.registry.server.manifests import image_parts
from knarr.registry.server.registry import Registry
from knarr.spec import decode
from knarr.spec.oci.image import Descriptor, ImageDocument
from knarr.spec.oci.platform import platform_of, platform_text

_DESCRIPTION = "org.opencontainers.image.description"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryLine:
    """One line of the list. updated_ns: when a tag was last set; 0 without tags.

    size_bytes: of all that it has, shared with other repositories or not.
    """

    name: str
    tags: tuple[str, ...]
    size_bytes: int
    updated_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one layer, or a change of the config alone, came to be."""

    created_by: str
    created: str
    layer: Digest | None
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """One image for one platform. ``steps`` are the lowest first; none for what is no image."""

    digest: Digest
    media_type: str
    platform: str
    size_bytes: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagView:
    tag: str
    digest: Digest
    tagged_ns: int
    images: tuple[ImageView, ...]

    @property
    def size_bytes(self) -> int:
        return sum(image.size_bytes for image in self.images)


def list_repositories(
    registry: Registry, visible: Callable[[str], bool]
) -> tuple[RepositoryLine, ...]:
    found = []
    for name in rows.repositories(registry.db):
        if visible(name):
            tags = rows.tags(registry.db, name)
            times = [
                each.tagged_ns for tag in tags if (each := rows.tagged(registry.db, name, tag))
            ]
            found.append(
                RepositoryLine(
                    name=name,
                    tags=tuple(tags),
                    size_bytes=rows.repository_bytes(registry.db, name),
                    updated_ns=max(times, default=0),
                )
            )
    return tuple(found)


def describe_tags(registry: Registry, name: str, only: str = "") -> tuple[TagView, ...]:
    """The tags of a repository, or the one that is asked for."""
    tags = [only] if only else rows.tags(registry.db, name)
    return tuple(
        TagView(
            tag=tag,
            digest=found.digest,
            tagged_ns=found.tagged_ns,
            images=tuple(_images(registry, name, found.digest)),
        )
        for tag in tags
        if (found := rows.tagged(registry.db, name, tag)) is not None
    )


def description(registry: Registry, name: str) -> str:
    """What the newest image says of itself in its annotations or labels."""
    tags = rows.tags(registry.db, name)
    newest = "latest" if "latest" in tags else next(reversed(tags), "")
    tagged = rows.tagged(registry.db, name, newest)
    if tagged is None:
        return ""
    annotated = rows.annotations(registry.db, name, tagged.digest).get(_DESCRIPTION, "")
    if annotated or tagged.media_type in INDEX_TYPES:
        return annotated
    config = _config(registry, name, tagged.digest)
    labels = config.config.labels if config and config.config else {}
    return labels.get(_DESCRIPTION, "")


def _images(registry: Registry, name: str, digest: Digest) -> list[ImageView]:
    """The image, or those of an index, as far as they are here."""
    try:
        descriptor = registry.manifest(name, digest)
        _, layers, manifests = image_parts(registry.read(descriptor))
    except KnarrError:
        return []  # a cache has not fetched it yet
    if descriptor.media_type not in INDEX_TYPES:
        return [_image(registry, name, descriptor, layers)]
    return [
        image
        for each in manifests
        if not is_attestation(each)
        for image in _images(registry, name, Digest(each.digest))
    ]


def _image(
    registry: Registry, name: str, manifest: Descriptor, layers: tuple[Descriptor, ...]
) -> ImageView:
    config = _config(registry, name, Digest(manifest.digest))
    return ImageView(
        digest=Digest(manifest.digest),
        media_type=manifest.media_type,
        platform=_platform(config),
        size_bytes=sum(layer.size for layer in layers),
        steps=_steps(config, layers),
    )


def _platform(config: ImageDocument | None) -> str:
    if config is None or not config.architecture:
        return ""
    return platform_text(platform_of(config))


def _steps(config: ImageDocument | None, layers: tuple[Descriptor, ...]) -> tuple[Step, ...]:
    """History and layers, brought together; a layer that history does not tell of is shown too."""
    rest = list(layers)
    steps = []
    for each in config.history if config else ():
        layer = None if each.empty_layer or not rest else rest.pop(0)
        steps.append(
            Step(
                created_by=each.created_by or each.comment,
                created=each.created,
                layer=Digest(layer.digest) if layer else None,
                size_bytes=layer.size if layer else 0,
            )
        )
    unknown = (
        Step(created_by="", created="", layer=Digest(each.digest), size_bytes=each.size)
        for each in rest
    )
    return (*steps, *unknown)


def _config(registry: Registry, name: str, manifest: Digest) -> ImageDocument | None:
    try:
        config, _, _ = image_parts(registry.read(registry.manifest(name, manifest)))
        if config is None or rows.linked_size(registry.db, name, Digest(config.digest)) is None:
            return None
        if config.size > CONFIG_LIMIT:
            return None
        return decode(registry.read(config), ImageDocument)
    except KnarrError:
        return None  # an artifact's config may be anything
