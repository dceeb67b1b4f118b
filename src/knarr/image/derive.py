"""A new image's config from what it stands on: for import, commit and build. Pure."""

from collections.abc import Sequence

from knarr.image.model import Image
from knarr.image.platforms import machine
from knarr.snapshot import Layer
from knarr.spec.docker.image import ImageConfig
from knarr.spec.document import encode
from knarr.spec.oci.image import History, ImageDocument, Platform, RootFs


def derived(
    parent: Image | None,
    layers: Sequence[Layer],
    config: ImageConfig,
    history: Sequence[History],
    *,
    created: str,
    author: str = "",
    comment: str = "",
    platform: Platform | None = None,
) -> bytes:
    """The config blob of ``parent`` with ``layers`` on top; its digest is the new image's ID.

    history: what is new, one entry without ``empty_layer`` for each of ``layers``, in order.
    created: RFC 3339. platform: of an image without a parent; this machine's if not given.
    """
    below = parent.document if parent is not None else None
    place = platform or machine()
    document = ImageDocument(
        architecture=below.architecture if below else place.architecture,
        os=below.os if below else place.os,
        variant=below.variant if below else place.variant,
        os_version=below.os_version if below else place.os_version,
        created=created,
        author=author or (below.author if below else ""),
        comment=comment,
        config=config,
        rootfs=RootFs(
            diff_ids=(
                *(below.rootfs.diff_ids if below else ()),
                *(layer.diff_id for layer in layers),
            )
        ),
        history=(*(below.history if below else ()), *history),
    )
    return encode(document)
