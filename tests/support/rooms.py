"""The storage rooms of an engine on a folder of their own, without an engine around them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from knarr.content import BlobStore
from knarr.events import Event, EventBus
from knarr.ids import ImageId
from knarr.image import ImageService, ImageUser
from knarr.snapshot import ContainerLayers, Layers, Snapshotter, Unpacked
from knarr.spec.docker.progress import Progress
from knarr.store import Database


@dataclass
class Users:
    """Containers that a test says are there."""

    by_image: dict[ImageId, tuple[ImageUser, ...]] = field(default_factory=dict)

    def containers_of(self, image: ImageId) -> tuple[ImageUser, ...]:
        return self.by_image.get(image, ())


class Rooms:
    """Database, blobs, layers, containers' layers and images of one data root."""

    def __init__(self, root: Path, drivers: Sequence[Snapshotter] = (Unpacked(),)) -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        self.events: list[Event] = []
        bus = EventBus()
        bus.on_event(self.events.append)
        self.db = Database(root / "knarr.db", bus)
        self.blobs = BlobStore(root)
        self.layers = Layers(root, drivers)
        self.containers = ContainerLayers(self.db, self.layers, root, root / "run")
        self.users = Users()
        self.images = ImageService(self.db, self.blobs, self.layers, self.users)

    async def load(self, archive: bytes, *, step: int = 100_000) -> list[Progress]:
        """All messages of a load whose archive arrives in chunks of ``step`` bytes."""
        return [each async for each in self.images.load(chunks(archive, step))]

    def told(self, kind: str = "image") -> list[str]:
        """The actions of the events so far."""
        return [event.action for event in self.events if event.type == kind]

    def files(self) -> set[str]:
        """Everything below blobs and layers, two levels deep."""
        found = [*self.root.glob("blobs/*/*"), *self.root.glob("layers/*")]
        return {str(path.relative_to(self.root)) for path in found}

    def close(self) -> None:
        self.db.close()


async def chunks(content: bytes, step: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), step):
        yield content[start : start + step]
