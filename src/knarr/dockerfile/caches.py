"""``--cache-from`` and ``--cache-to``: what other engines' builds know, and what they may know.

A cache travels as an image (build/portable.py), so registries and archives are the images' own.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from knarr.build import Vertex, portable
from knarr.build.keys import Inputs
from knarr.build.rows import find
from knarr.dockerfile.bases import Bases
from knarr.dockerfile.platforms import host_platform
from knarr.dockerfile.request import BuildRequest
from knarr.errors import KnarrError
from knarr.ids import DiffId, Digest
from knarr.image import Image, ImageService
from knarr.image.model import NewImage
from knarr.image.service import new_name
from knarr.spec.docker.progress import Progress
from knarr.spec.document import decode, encode
from knarr.spec.oci.image import ImageDocument, RootFs
from knarr.store import Database
from knarr.times import rfc3339

Say = Callable[[Progress], None]


class Caches:
    """The caches of one build that come from elsewhere or go there."""

    def __init__(
        self, request: BuildRequest, db: Database, images: ImageService, bases: Bases, say: Say
    ) -> None:
        self._request = request
        self._db = db
        self._images = images
        self._bases = bases
        self._say = say
        self._taken: list[Image] = []

    async def take_in(self) -> None:
        """From each image that the client names. One that cannot be had is told, and no failure."""
        for ref in self._request.cache_from:
            here = self._images.find(ref)
            try:
                image = here or await self._bases.fetched(ref, self._request.logins, self._say)
            except KnarrError as error:
                self._note(f"cache {ref} is not used: {error}\n")
                continue
            self._taken.append(image)
            self._adopt(ref, image)
            if here is None:
                await self._images.remove(ref)  # the cache holds what it needs of it

    def trusted(self) -> Sequence[Image] | None:
        """The images by which a step must have come to count as done; None: it need not."""
        asked = self._request
        return self._taken if asked.cache_from and asked.cache_from_alone else None

    def _adopt(self, ref: str, image: Image) -> None:
        if not image.document.build_cache:
            self._note(f"cache {ref} is not used: it is an image without a build cache\n")
            return
        with self._db.transaction() as tx:
            count = portable.adopt(tx, image.document, lambda key: find(self._db, key) is not None)
        self._note(f"cache {ref}: {count} new step{'' if count == 1 else 's'}\n")

    def _note(self, text: str) -> None:
        """The classic builder says nothing of it, and clients read its text."""
        if self._request.trace:
            self._say(Progress(stream=text))

    def told_in(self, config: bytes, target: Vertex, named: Mapping[Digest, Inputs]) -> bytes:
        """The result's config, with the steps that it came from where that is asked for."""
        if not self._request.tells_of_steps:
            return config
        document = decode(config, ImageDocument)
        layers = _layers(document)
        records = portable.steps_of(self._db, target, named)
        steps = portable.told(self._db, records, layers)
        return encode(msgspec.structs.replace(document, build_cache=steps))

    def give_out(self, config: bytes, target: Vertex, named: Mapping[Digest, Inputs]) -> None:
        """Make the cache image that is asked for."""
        if not self._request.cache_to:
            return
        result = _layers(decode(config, ImageDocument))
        records = portable.steps_of(self._db, target, named)
        if not self._request.cache_whole:
            records = [each for each in records if set(each.diff_ids) <= set(result)]
        layers = portable.layers_of(records)
        platform = host_platform()
        document = ImageDocument(
            architecture=platform.architecture,
            os=platform.os,
            created=rfc3339(max((each.time_ns for each in records), default=0)),
            rootfs=RootFs(diff_ids=layers),
            build_cache=portable.told(self._db, records, layers),
        )
        name = new_name(self._request.cache_to)
        self._images.add(NewImage(config=encode(document), tags=(name,)))


def _layers(document: ImageDocument) -> tuple[DiffId, ...]:
    return tuple(DiffId(Digest(each)) for each in document.rootfs.diff_ids)
