"""Pulling: from a name to an image whose every byte was checked, layers several at a time.

First ``find`` (small documents; may refuse), then ``fetch`` (bytes, a LayerJob for each layer). No
layer waits for its parent. What is there already is not fetched, what broke off is gone on from,
what two pulls want is done once.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from knarr.content import BlobStore
from knarr.errors import InvalidArgument
from knarr.ids import short
from knarr.reference import DEFAULT_TAG, Reference
from knarr.registry.asking import first_answer
from knarr.registry.attached import Attached, fetch_attached
from knarr.registry.cancellation import Cancellation
from knarr.registry.client import RegistryClient
from knarr.registry.layer import LayerJob, LayerSink
from knarr.registry.manifests import (
    CONFIG_LIMIT,
    RemoteImage,
    RemoteLayer,
    assembled,
    chosen,
    image_config,
    read_index,
)
from knarr.registry.registries import Logins, Registries
from knarr.registry.threads import (
    Speaker,
    Tell,
    all_or_first_error,
    called_off_when_cancelled,
    in_thread,
)
from knarr.registry.transfers import Transfers
from knarr.spec.docker.progress import Progress
from knarr.spec.oci.image import Platform
from knarr.spec.oci.platform import machine_platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An image in a registry, and who to ask for its layers: mirrors first."""

    reference: Reference
    image: RemoteImage
    sources: tuple[RegistryClient, ...]


class Puller:
    """Pulls into one content store. Its verbs are coroutines of the daemon's loop."""

    def __init__(self, registries: Registries, blobs: BlobStore, *, workers: int = 3) -> None:
        """workers: layers that are downloaded at a time; twice as many are in work."""
        self._registries, self._blobs = registries, blobs
        self._in_work = 2 * workers
        self._transfers = Transfers()
        self._places = asyncio.Semaphore(self._in_work)
        self._downloads = asyncio.Semaphore(workers)
        self._threads: ThreadPoolExecutor | None = None

    async def find(
        self, reference: Reference, logins: Logins, platform: Platform | None = None
    ) -> Found:
        """The image which the name stands for on this platform; nothing is stored yet.

        Raises NotFound, Unauthorized, Forbidden, Unavailable, Unsupported in Docker's words.
        """
        asked, wanted = reference.tagged(), platform or machine_platform()
        with called_off_when_cancelled() as cancellation:
            return await asyncio.to_thread(self._find, asked, logins, wanted, cancellation)

    async def tags(self, reference: Reference, logins: Logins) -> tuple[str, ...]:
        """All tags of a repository, for ``pull --all-tags``."""
        with called_off_when_cancelled() as cancellation:
            clients = self._registries.pullers(reference, logins, cancellation)
            tags, _ = await asyncio.to_thread(
                first_answer, clients, reference, lambda client: tuple(client.tags())
            )
            return tags

    async def fetch(self, found: Found, sink: LayerSink, tell: Tell) -> None:
        """Bring in the layers of an image that are not there yet. Its documents are in ``found``.

        Cancelled, it leaves whole layers, and beginnings to go on from.
        """
        reference = found.reference
        name = str(reference) if reference.digest else reference.tag
        tell(Progress(id=name, status=f"Pulling from {reference.path}"))
        for layer in found.image.layers:
            tell(Progress.about(short(layer.digest), "Pulling fs layer"))
        biggest_first = sorted(
            {layer.diff_id: layer for layer in found.image.layers}.values(),
            key=lambda layer: -layer.descriptor.size,
        )
        await all_or_first_error(
            [self._layer(layer, found.sources, sink, tell) for layer in biggest_first]
        )
        for text in dict.fromkeys(each for source in found.sources for each in source.warnings):
            tell(Progress(status=f"Warning: {text}"))

    async def attach(self, found: Found, got: Attached) -> None:
        """What attests to the image in its index; where it cannot be had there is less of it."""
        if found.image.root.is_index:
            cancellation = Cancellation()
            client = found.sources[0].under(cancellation)
            await in_thread(
                lambda: fetch_attached(client, found.image, self._blobs, cancellation, got),
                cancellation,
            )

    async def close(self) -> None:
        await self._transfers.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    # -- finding -----------------------------------------------------------------------------

    def _find(
        self, reference: Reference, logins: Logins, wanted: Platform, cancellation: Cancellation
    ) -> Found:
        clients = self._registries.pullers(reference, logins, cancellation)
        image, place = first_answer(
            clients, reference, lambda client: _read_image(client, reference, wanted)
        )
        return Found(reference=reference, image=image, sources=clients[place:])

    # -- fetching ----------------------------------------------------------------------------

    async def _layer(
        self, layer: RemoteLayer, sources: Sequence[RegistryClient], sink: LayerSink, tell: Tell
    ) -> None:
        if sink.has(layer):
            tell(Progress.about(short(layer.digest), "Already exists"))
            sink.hold(layer)
            return

        async def work(tell_all: Tell) -> None:
            if self._places.locked() or self._downloads.locked():
                tell_all(Progress.about(short(layer.digest), "Waiting"))
            async with self._places, _Turn(self._downloads) as turn:
                await self._transfer(layer, sources, sink, tell_all, turn)

        await self._transfers.join(layer.diff_id, tell, work)
        sink.hold(layer)

    async def _transfer(
        self,
        layer: RemoteLayer,
        sources: Sequence[RegistryClient],
        sink: LayerSink,
        tell: Tell,
        turn: "_Turn",
    ) -> None:
        cancellation = Cancellation()
        job = LayerJob(
            layer=layer,
            sources=tuple(source.under(cancellation) for source in sources),
            blobs=self._blobs,
            sink=sink,
            say=Speaker(short(layer.digest), layer.descriptor.size, tell),
            threads=self._thread_pool(),
            downloaded=turn.over,
        )
        await in_thread(job.run, cancellation, self._thread_pool())
        try:
            sink.landed(layer)
        finally:
            self._blobs.unpin(layer.digest)
        tell(Progress.about(short(layer.digest), "Pull complete"))

    def _thread_pool(self) -> ThreadPoolExecutor:
        """Two threads for each layer at work, so that none waits for one that waits for it."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(2 * self._in_work, thread_name_prefix="pull")
        return self._threads


class _Turn:
    """A turn at downloading, over when the bytes are here: the next layer comes, this one unpacks.

    So no processor idles at the end of a pull, when one layer is left that had to wait.
    """

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._mine = False

    async def __aenter__(self) -> Self:
        await self._turns.acquire()
        self._mine = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._release()

    def over(self) -> None:
        """From any thread; harmless when it is over already."""
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it who waits
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        if self._mine:
            self._mine = False
            self._turns.release()


def outcome(found: Found, *, newer: bool) -> tuple[Progress, Progress]:
    """The last two lines of a pull. newer: the name stood for another image before, or none."""
    familiar = found.reference.familiar
    status = "Downloaded newer image" if newer else "Image is up to date"
    return (
        Progress(status=f"Digest: {found.image.root.digest}"),
        Progress(status=f"Status: {status} for {familiar}"),
    )


def _read_image(client: RegistryClient, reference: Reference, wanted: Platform) -> RemoteImage:
    about = reference.familiar
    root = client.manifest(reference.digest or reference.tag or DEFAULT_TAG, about)
    manifest = root
    if root.is_index:
        manifest = client.manifest(chosen(read_index(root), wanted, about).digest, about)
        if manifest.is_index:
            raise InvalidArgument(f"{about} is an index of indexes")
    descriptor = image_config(manifest, about)
    config = client.small_blob(descriptor, CONFIG_LIMIT, about)
    return assembled(root, manifest, config, about)
