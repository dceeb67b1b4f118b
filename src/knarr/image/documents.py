"""Images as the Engine API shows them. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from knarr.errors import InvalidArgument
from knarr.ids import DiffId, ImageId
from knarr.image.model import Image, created_ns
from knarr.image.platforms import platform_document
from knarr.reference import Reference
from knarr.snapshot import chain_id
from knarr.spec.docker.image import (
    AttestationData,
    ImageHistoryItem,
    ImageInspect,
    ImageManifestData,
    ImageManifestSize,
    ImageMetadata,
    ImageSummary,
    ManifestSize,
    ManifestSummary,
    OCIDescriptor,
    RootFS,
)
from knarr.spec.docker.storage import DriverData
from knarr.spec.oci.image import ATTESTS, Descriptor
from knarr.spec.oci.platform import platform_of
from knarr.times import NEVER, rfc3339, rfc3339_ns

GRAPH_DRIVER: Final = "overlay2"  # what tools ask for; its Data has Docker's keys
_SECOND_NS: Final = 1_000_000_000


def summary(
    image: Image,
    tags: Sequence[Reference],
    digests: Sequence[Reference],
    *,
    shared_bytes: int,
    size_bytes: int,
    containers: int = -1,
) -> ImageSummary:
    """One line of `images`; -1 stands for what was not counted. size_bytes: of all platforms."""
    return ImageSummary(
        id=image.id,
        parent_id=image.parent or "",
        repo_tags=tuple(each.familiar for each in tags),
        repo_digests=tuple(each.familiar for each in digests),
        created=created_ns(image.document) // _SECOND_NS,
        size=size_bytes,
        shared_size=shared_bytes,
        labels=image.config.labels,
        containers=containers,
    )


def inspect(image: Image, lowers: Sequence[Path]) -> ImageInspect:
    """``lowers`` are the folders of its layers, topmost first."""
    document = image.document
    return ImageInspect(
        id=image.id,
        repo_tags=tuple(each.familiar for each in image.tags),
        repo_digests=tuple(each.familiar for each in image.repo_digests),
        parent=image.parent or "",
        comment=document.comment,
        created=document.created or NEVER,
        docker_version=document.docker_version,
        author=document.author,
        config=image.config,
        architecture=document.architecture,
        variant=document.variant or None,
        os=document.os,
        os_version=document.os_version or None,
        size=image.size_bytes,
        graph_driver=_graph(lowers),
        rootfs=RootFS(type="layers", layers=tuple(image.diff_ids)),
        metadata=ImageMetadata(
            last_tag_time=rfc3339(image.tagged_ns) if image.tagged_ns else NEVER
        ),
    )


def descriptor(target: Descriptor | None) -> OCIDescriptor | None:
    """As the Engine API writes it."""
    if target is None:
        return None
    return OCIDescriptor(
        media_type=target.media_type,
        digest=target.digest,
        size=target.size,
        annotations=target.annotations or None,
        platform=platform_document(target.platform) if target.platform else None,
    )


def manifest(
    image: Image, target: Descriptor, content_bytes: int, containers: Sequence[str]
) -> ManifestSummary:
    """The image as one platform of a name. target: its manifest, or its config where it has none.

    content_bytes: of the compressed forms of its layers that are here.
    """
    platform = platform_document(platform_of(image.document))
    return ManifestSummary(
        id=target.digest,
        descriptor=replace(descriptor(target) or OCIDescriptor(), platform=platform),
        available=True,
        kind="image",
        size=ManifestSize(content=content_bytes, total=content_bytes + image.size_bytes),
        image_data=ImageManifestData(
            platform=platform,
            containers=tuple(containers),
            size=ImageManifestSize(unpacked=image.size_bytes),
        ),
    )


def absent_manifest(entry: Descriptor) -> ManifestSummary:
    """What an index names and is not here: another platform, or what attests to one."""
    about = entry.annotations.get(ATTESTS, "")
    told = ManifestSummary(
        id=entry.digest, descriptor=descriptor(entry), available=False, kind="unknown"
    )
    if about:
        return replace(told, kind="attestation", attestation_data=AttestationData(for_digest=about))
    if entry.platform is None:
        return told
    shown = platform_document(entry.platform)
    return replace(told, kind="image", image_data=ImageManifestData(platform=shown))


def _graph(lowers: Sequence[Path]) -> DriverData:
    """The topmost layer is what Docker calls the upper directory of an image."""
    data = {"UpperDir": str(lowers[0])} if lowers else {}
    if len(lowers) > 1:
        data["LowerDir"] = ":".join(str(each) for each in lowers[1:])
    return DriverData(name=GRAPH_DRIVER, data=data)


def history(line: Sequence[Image], sizes: Mapping[DiffId, int]) -> tuple[ImageHistoryItem, ...]:
    """Newest step first. ``line`` is the image, its parent, and so on: they name the steps."""
    image = line[0]
    layers = iter(image.diff_ids)
    items = []
    for step in image.document.history:
        size = 0 if step.empty_layer else sizes.get(next(layers, DiffId(image.id)), 0)
        items.append((step, size))
    ends = {len(each.document.history): each for each in reversed(line)}  # whose last step it is
    return tuple(
        ImageHistoryItem(
            id=ends[number].id if number in ends else "<missing>",
            created=_seconds(step.created),
            created_by=step.created_by,
            tags=tuple(each.familiar for each in ends[number].tags) if number in ends else (),
            size=size,
            comment=step.comment,
        )
        for number, (step, size) in reversed(list(enumerate(items, start=1)))
    )


def _seconds(created: str) -> int:
    try:
        return rfc3339_ns(created) // _SECOND_NS
    except InvalidArgument:
        return 0


def shared_bytes(
    layers: Mapping[ImageId, AbstractSet[DiffId]], sizes: Mapping[DiffId, int]
) -> dict[ImageId, int]:
    """How much of each image's size is in layers that other images have too.

    layers: of each image that is shown, with all its platforms.
    """
    owners = Counter(diff_id for own in layers.values() for diff_id in own)
    return {
        image: sum(sizes.get(each, 0) for each in own if owners[each] > 1)
        for image, own in layers.items()
    }


def freed_chains(image: Image, freed: AbstractSet[DiffId]) -> list[str]:
    """The chain IDs that a removal tells of: of this image's freed layers, topmost first."""
    diff_ids = image.diff_ids
    return [
        chain
        for length in range(len(diff_ids), 0, -1)
        if diff_ids[length - 1] in freed and (chain := chain_id(diff_ids[:length]))
    ]
