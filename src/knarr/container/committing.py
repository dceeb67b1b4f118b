"""`commit`: a container's present files and settings, as a new image."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import asdict, replace

from knarr.container.documents import argv, event_attributes
from knarr.container.model import Container, Status
from knarr.container.registry import ContainerRegistry
from knarr.errors import NotFound
from knarr.events import Event
from knarr.ids import ImageId
from knarr.image import ImageService, NewImage, derived
from knarr.reference import Reference
from knarr.runtime import Keeper
from knarr.snapshot import ContainerLayers, Layers
from knarr.spec.docker.container import ContainerConfig
from knarr.spec.docker.image import ImageConfig
from knarr.spec.oci.image import History
from knarr.store import Database
from knarr.times import rfc3339

_IMAGE_FIELDS = frozenset(ImageConfig.__struct_fields__)
Edit = Callable[[ImageConfig], ImageConfig]


class Committer:
    """Makes images of containers."""

    def __init__(
        self,
        *,
        db: Database,
        registry: ContainerRegistry,
        images: ImageService,
        layers: Layers,
        container_layers: ContainerLayers,
        keeper: Keeper,
    ) -> None:
        self._db = db
        self._registry = registry
        self._images = images
        self._layers = layers
        self._container_layers = container_layers
        self._keeper = keeper

    async def commit(
        self,
        ref: str,
        *,
        name: Reference | None = None,
        comment: str = "",
        author: str = "",
        pause: bool = True,
        wanted: ContainerConfig | None = None,
        edit: Edit = lambda config: config,
    ) -> ImageId:
        """The new image's ID. A running container stands still meanwhile, unless not ``pause``.

        wanted: settings that the client gave; those that it did not are the container's.
        """
        container = self._registry.find(ref)
        stands_still = pause and container.status is Status.RUNNING
        if stands_still:
            with suppress(NotFound):  # it has ended this moment, and stands still by itself
                await self._keeper.pause(container.id)
        try:
            layer = await asyncio.to_thread(self._container_layers.layer, container.id)
        finally:
            if stands_still:
                with suppress(NotFound):
                    await self._keeper.resume(container.id)
        created = rfc3339(time.time_ns())
        parent = self._images.get(container.image)
        entry = History(
            created=created, created_by=" ".join(argv(container)), author=author, comment=comment
        )
        config = derived(
            parent,
            [layer],
            edit(_config(container, wanted)),
            [entry],
            created=created,
            author=author,
            comment=comment,
        )
        new = NewImage(
            config=config, layers=(layer,), tags=(name,) if name else (), parent=container.image
        )
        try:
            image = self._images.add(new)
        finally:
            self._layers.unpin(layer.diff_id)
        self._tell(container, image.id)
        return image.id

    def _tell(self, container: Container, image: ImageId) -> None:
        attributes = {**event_attributes(container), "imageID": image}
        with self._db.transaction() as tx:
            tx.emit(
                Event(type="container", action="commit", actor=container.id, attributes=attributes)
            )


def _config(container: Container, wanted: ContainerConfig | None) -> ImageConfig:
    """The container's own settings, and over them those that the client sent."""
    config = container.record.config
    own = {name: value for name, value in asdict(config).items() if name in _IMAGE_FIELDS}
    base = ImageConfig(**own)
    if wanted is None:
        return base
    given = {
        name: value
        for name, value in asdict(wanted).items()
        if name in _IMAGE_FIELDS and value not in (None, "", (), {})
    }
    return replace(base, **given)
