"""A plain tar of a root filesystem as an image of one layer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from knarr.image.derive import derived
from knarr.image.model import NewImage
from knarr.image.receive import again
from knarr.reference import Reference
from knarr.snapshot import Layer, Layers
from knarr.spec.docker.image import ImageConfig
from knarr.spec.oci.image import History, Platform

_EMPTY_TAR: Final = bytes(1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is asked for besides the bytes.

    edit: what ``--change`` makes of an empty config.
    """

    name: Reference | None = None
    message: str = ""
    origin: str = "-"
    platform: Platform | None = None
    edit: Callable[[ImageConfig], ImageConfig] = field(default=lambda config: config)

    def image(self, layer: Layer, created: str) -> NewImage:
        comment = self.message or f"Imported from {self.origin}"
        return NewImage(
            config=derived(
                None,
                [layer],
                self.edit(ImageConfig()),
                [History(created=created, comment=comment)],
                created=created,
                comment=comment,
                platform=self.platform,
            ),
            layers=(layer,),
            tags=(self.name,) if self.name else (),
        )


def read_layer(layers: Layers, chunks: Callable[[], bytes]) -> Layer:
    """The stream, compressed or not, as a stored and pinned layer. In a thread.

    Nothing at all is an archive of nothing, for clients that tag an empty image.
    """
    plain = again(chunks() or _EMPTY_TAR, chunks)
    with layers.writer() as writer:
        while chunk := plain():
            writer.write(chunk)
        return writer.commit()
