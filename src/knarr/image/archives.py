"""Images that come and go as archives: load, save, import."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from knarr.content import BlobStore
from knarr.content.rows import blob_size
from knarr.http.feed import Feed
from knarr.ids import DiffId, ImageId
from knarr.image import archive, rows, save
from knarr.image.bootstrap import Bootstrap, bootstrap
from knarr.image.catalogue import Catalogue
from knarr.image.imported import Import, read_layer
from knarr.image.model import Image, NewImage
from knarr.image.progress import Meter
from knarr.image.receive import Receiver
from knarr.image.save import Part, Saved, Stored
from knarr.kernel.memory import give_back
from knarr.reference import Reference
from knarr.snapshot import Layer, Layers
from knarr.snapshot.rows import find_layer
from knarr.spec.docker.progress import ImageID, Progress
from knarr.spec.oci.image import Platform
from knarr.store import Database
from knarr.times import rfc3339

_CHUNK_BYTES: Final = 1 << 20

Add = Callable[..., Image]  # ImageService.add


class Archives:
    """The long verbs: their work is done in threads, what they record is recorded in the loop."""

    def __init__(
        self, db: Database, blobs: BlobStore, layers: Layers, catalogue: Catalogue
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._layers = layers
        self._catalogue = catalogue

    async def import_(
        self, source: AsyncIterator[bytes], wanted: Import, add: Add
    ) -> AsyncIterator[Progress]:
        feed = Feed()
        pumping = asyncio.create_task(feed.pump(source))
        reading = asyncio.create_task(asyncio.to_thread(read_layer, self._layers, feed.read))
        try:
            layer = await asyncio.shield(reading)
            image = add(wanted.image(layer, rfc3339(time.time_ns())), "import")
            yield Progress(status=image.id)
        finally:
            feed.stop()
            pumping.cancel()
            await asyncio.gather(reading, pumping, return_exceptions=True)
            if not reading.cancelled() and reading.exception() is None:
                self._forget(reading.result().diff_id)
            await asyncio.to_thread(self._layers.empty_trash)

    async def bootstrap(
        self, wanted: Bootstrap, scratch: Path, add: Add
    ) -> AsyncIterator[Progress]:
        made: list[Image] = []

        def record(layer: Layer, epoch: int) -> None:
            made.append(add(wanted.image(layer, epoch), "import"))

        async for line in bootstrap(wanted, self._layers, scratch, record):
            yield Progress(status=line)
        for image in made:
            yield Progress(stream=f"Made image: {wanted.tag.familiar}\n", aux=ImageID(id=image.id))
        await asyncio.to_thread(self._layers.empty_trash)

    def _forget(self, diff_id: DiffId) -> None:
        """Unpin a layer, and throw it away if nobody recorded it."""
        self._layers.unpin(diff_id)
        if find_layer(self._db, diff_id) is None:
            self._layers.discard(diff_id)

    async def load(
        self,
        source: AsyncIterator[bytes],
        add: Add,
        *,
        quiet: bool,
        platform: Platform | None = None,
    ) -> AsyncIterator[Progress]:
        feed, meter = Feed(), Meter("Loading layer", quiet=quiet)
        receiver = Receiver(self._layers, self._blobs, meter.report)
        pumping = asyncio.create_task(feed.pump(source))
        reading = asyncio.create_task(asyncio.to_thread(receiver.read, feed.read))
        reading.add_done_callback(lambda _: meter.close())
        try:
            async for message in meter:
                yield message
            for new in archive.images(await reading, platform):
                yield Progress(stream=self._loaded(new, add))
        finally:
            feed.stop()
            pumping.cancel()
            await asyncio.gather(reading, pumping, return_exceptions=True)
            receiver.forget(
                lambda diff_id: find_layer(self._db, diff_id) is not None,
                lambda digest: blob_size(self._db, digest) is not None,
            )
            await asyncio.to_thread(self._layers.empty_trash)
            await asyncio.to_thread(give_back)

    def _loaded(self, new: NewImage, add: Add) -> str:
        lines = []
        for tag in new.tags:
            holder = rows.by_tag(self._db, tag.name, tag.tag)
            if holder is not None and holder != new.id:
                lines.append(
                    f"The image {tag.familiar} already exists,"
                    f" renaming the old one with ID {holder} to empty string\n"
                )
        image = add(new, "load")
        lines += [f"Loaded image: {tag.familiar}\n" for tag in new.tags]
        return "".join(lines) or f"Loaded image ID: {image.id}\n"

    def save_plan(self, refs: Sequence[str]) -> list[Part]:
        """What `save` will send, part after part. Raises NotFound."""
        wanted: dict[ImageId, tuple[Reference, ...]] = {}
        for ref in refs:
            for image, tags in self._catalogue.meant(ref):
                wanted[image] = (*wanted.get(image, ()), *tags)
        return save.parts([self._saved(image, tags) for image, tags in wanted.items()])

    def _saved(self, image_id: ImageId, tags: tuple[Reference, ...]) -> Saved:
        image = self._catalogue.get(image_id)
        return Saved(
            image=image, layers=self._catalogue.layers(image), tags=tuple(dict.fromkeys(tags))
        )

    async def save(self, plan: Sequence[Part]) -> AsyncIterator[bytes]:
        """The bytes of a plan; its layers stay while they are sent."""
        with self._layers.pinned(part.diff_id for part in plan if isinstance(part, Stored)):
            for part in plan:
                if isinstance(part, bytes):
                    yield part
                    continue
                fd = self._layers.open_tar(part.diff_id)
                try:
                    while chunk := await asyncio.to_thread(os.read, fd, _CHUNK_BYTES):
                        yield chunk
                finally:
                    os.close(fd)
