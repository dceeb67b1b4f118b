"""Images that come and go as archives: load, save, import."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from knarr.content import BlobStore
from knarr.content.rows import blob_size
from knarr.http.feed import Feed
from knarr.ids import DiffId, Digest, ImageId
from knarr.image import archive, index_rows, rows, save
from knarr.image.archive import Contained
from knarr.image.bootstrap import Bootstrap, bootstrap
from knarr.image.catalogue import Catalogue
from knarr.image.imported import Import, read_layer
from knarr.image.model import Image, NewImage, NewIndex
from knarr.image.platforms import those_for
from knarr.image.progress import Meter
from knarr.image.receive import Receiver
from knarr.image.save import Part, Saved, Stored
from knarr.image.web import Download
from knarr.kernel.memory import give_back
from knarr.reference import Reference
from knarr.snapshot import Layer, Layers
from knarr.snapshot.rows import find_layer
from knarr.spec.docker.progress import ImageID, Progress
from knarr.spec.document import decode
from knarr.spec.oci.image import Index, Manifest, Platform
from knarr.store import Database
from knarr.times import rfc3339

_CHUNK_BYTES: Final = 1 << 20

Add = Callable[..., Image]  # ImageService.add


class Recorder(Protocol):
    """Who records what was loaded: the service, seen from here."""

    def add(self, new: NewImage, *actions: str) -> Image: ...

    def add_index(self, new: NewIndex) -> Image: ...


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

    async def import_from(
        self, download: Download, wanted: Import, add: Add
    ) -> AsyncIterator[Progress]:
        yield Progress(status=f"Downloading from {download.url}")
        meter, made = Meter("Importing"), list[Progress]()
        source = download.pieces(lambda done, total: meter.report("", done, total))

        async def work() -> None:
            async for message in self.import_(source, wanted, add):
                made.append(message)

        working = asyncio.create_task(work())
        working.add_done_callback(lambda _: meter.close())
        try:
            async for message in meter:
                yield message
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await asyncio.to_thread(download.close)
        for message in made:
            yield message

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
        recorder: Recorder,
        *,
        quiet: bool,
        platforms: Sequence[Platform] = (),
    ) -> AsyncIterator[Progress]:
        feed, meter = Feed(), Meter("Loading layer", quiet=quiet)
        receiver = Receiver(self._layers, self._blobs, meter.report)
        pumping = asyncio.create_task(feed.pump(source))
        reading = asyncio.create_task(asyncio.to_thread(receiver.read, feed.read))
        reading.add_done_callback(lambda _: meter.close())
        try:
            async for message in meter:
                yield message
            for new in archive.images(await reading, platforms):
                yield Progress(stream=self._loaded(new, recorder))
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

    def _loaded(self, new: Contained, recorder: Recorder) -> str:
        lines = []
        before = {tag: self._leads_to(tag) for tag in new.tags}
        images = [recorder.add(each, "load") for each in new.images]
        if new.index is not None:
            self._record_index(new, new.index, recorder)
        ids = {image.id for image in images}
        for tag, holders in before.items():
            if holders and not holders & ids:
                lines.append(
                    f"The image {tag.familiar} already exists,"
                    f" renaming the old one with ID {min(holders)} to empty string\n"
                )
        lines += [f"Loaded image: {tag.familiar}\n" for tag in new.tags]
        return "".join(lines) or f"Loaded image ID: {images[0].id}\n"

    def _record_index(self, new: Contained, index: NewIndex, recorder: Recorder) -> None:
        attached = tuple(self._blobs.put(each) for each in new.attached)
        try:
            recorder.add_index(replace(index, attached=attached))
        finally:
            for blob in attached:
                self._blobs.unpin(blob.digest)

    def _leads_to(self, tag: Reference) -> set[ImageId]:
        holder = rows.by_tag(self._db, tag.name, tag.tag)
        index = index_rows.of_reference(self._db, tag)
        return {each for each in (holder, *(index.images.values() if index else ())) if each}

    def size_bytes(self, refs: Sequence[str]) -> int:
        """How many bytes ``save`` will send."""
        return save.size_bytes(self.save_plan(refs))

    def save_plan(self, refs: Sequence[str], platforms: Sequence[Platform] = ()) -> list[Part]:
        """What `save` will send, part after part. Raises NotFound."""
        wanted: dict[tuple[ImageId, Digest | None], tuple[Reference, ...]] = {}
        refs_of: dict[tuple[ImageId, Digest | None], str] = {}
        for ref in refs:
            for image, tags in self._catalogue.meant(ref):
                name = str(tags[0]) if tags else ref
                index = self._catalogue.index(name)
                key = (image, index.digest if index else None)
                wanted[key] = (*wanted.get(key, ()), *tags)
                refs_of.setdefault(key, name)
        return save.parts(
            [self._saved(refs_of[key], tags, platforms) for key, tags in wanted.items()]
        )

    def _annotations(self, manifest: Digest | None) -> Mapping[str, str] | None:
        """Of a manifest that is here."""
        if manifest is None or not self._blobs.has(manifest):
            return None
        return decode(self._blobs.read(manifest), Manifest).annotations or None

    def _saved(self, ref: str, tags: tuple[Reference, ...], platforms: Sequence[Platform]) -> Saved:
        index = self._catalogue.index(ref)
        digests = {image: digest for digest, image in index.images.items()} if index else {}
        first, *others = [
            Saved(image=image, layers=self._catalogue.layers(image), tags=(),
                  digest=digests.get(image.id),
                  annotations=self._annotations(digests.get(image.id)))
            for image in those_for(ref, self._catalogue.platforms(ref), platforms)
        ]  # fmt: skip
        document = None
        if index is not None and self._blobs.has(index.digest):
            known = decode(self._blobs.read(index.digest), Index)
            said = known.annotations or any(each.annotations for each in known.manifests)
            document = known if others or said else None
        tags = tuple(dict.fromkeys(tags))
        return replace(
            first,
            tags=tags,
            index=document,
            platforms=tuple(replace(each, tags=tags) for each in others),
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
