"""The verbs of images."""

# ruff: noqa: ARG002

from collections.abc import AsyncIterator, Mapping, Sequence

from knarr.content import BlobStore
from knarr.errors import Unsupported
from knarr.image.model import Image, ImageUsers
from knarr.snapshot import Layers
from knarr.spec.docker.image import (
    ImageDeleted,
    ImageHistoryItem,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
)
from knarr.spec.docker.progress import Progress
from knarr.store import Database

Filters = Mapping[str, Sequence[str]]


class ImageService:
    """Images by name, digest and ID. Synchronous verbs are short and run in the daemon's loop."""

    def __init__(self, db: Database, blobs: BlobStore, layers: Layers, users: ImageUsers) -> None:
        self._db = db
        self._blobs = blobs
        self._layers = layers
        self._users = users

    def resolve(self, ref: str) -> Image:
        """The image called by name, name@digest, ID or unique ID prefix.

        Raises NotFound (``No such image: x:latest``), InvalidArgument for what can be no name.
        """
        raise Unsupported(f"resolve {ref}")

    def list(
        self, filters: Filters, *, everything: bool = False, shared_size: bool = False
    ) -> tuple[ImageSummary, ...]:
        """Newest first. Filters: dangling, label, label!, before, since, reference, until."""
        raise Unsupported("list")

    def inspect(self, ref: str) -> ImageInspect:
        raise Unsupported("inspect")

    def history(self, ref: str) -> tuple[ImageHistoryItem, ...]:
        """Newest step first."""
        raise Unsupported("history")

    def tag(self, ref: str, repository: str, tag: str = "") -> None:
        """Another name for the image; a name that led elsewhere is moved."""
        raise Unsupported("tag")

    async def remove(
        self, ref: str, *, force: bool = False, no_prune: bool = False
    ) -> tuple[ImageDeleted, ...]:
        """Untag, and delete the image with its last name. Raises Conflict in Docker's words."""
        raise Unsupported("remove")

    async def prune(self, filters: Filters) -> ImagesPruned:
        raise Unsupported("prune")

    def load(
        self, archive: AsyncIterator[bytes], *, quiet: bool = False
    ) -> AsyncIterator[Progress]:
        """Take in a docker archive or an OCI layout as it arrives. On failure nothing is left."""
        raise Unsupported("load")

    def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """One tar of several images. Raises NotFound before the first byte."""
        raise Unsupported("save")
