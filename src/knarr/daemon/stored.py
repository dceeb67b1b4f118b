"""The rooms that keep things, put together, and put right after whatever ended the last daemon."""

import asyncio
import logging
import time
from dataclasses import dataclass

from knarr.container import ContainerRegistry
from knarr.container.rows import load_all
from knarr.content import BlobStore, Budget
from knarr.content.partial import sweep_partials
from knarr.daemon.settings import Settings
from knarr.events import EventBus
from knarr.image import ImageService
from knarr.snapshot import ContainerLayers, Layers, snapshotters
from knarr.store import Database

_log = logging.getLogger("knarr.daemon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Database, blobs, layers, images, and the containers that are known."""

    bus: EventBus
    db: Database
    budget: Budget
    blobs: BlobStore
    layers: Layers
    container_layers: ContainerLayers
    images: ImageService
    registry: ContainerRegistry

    def close(self) -> None:
        self.layers.close()
        self.db.close()


async def stored_rooms(settings: Settings) -> Stored:
    data_root, run_root = settings.data_root, settings.run_root
    bus = EventBus()
    db = Database(data_root / "knarr.db", bus)
    db.forget_old_events()
    registry = ContainerRegistry()
    for container in load_all(db):
        registry.put(container)
    budget = Budget(settings.disk_budget_bytes)
    blobs = BlobStore(data_root, budget)
    drivers = snapshotters(data_root, run_root, settings.snapshotter)
    layers = Layers(data_root, drivers, budget=budget)
    images = ImageService(db, blobs, layers, registry)
    for found in await asyncio.to_thread(images.repair):
        _log.warning("%s", found)
    sweep_partials(blobs, time.time())
    return Stored(
        bus=bus,
        db=db,
        budget=budget,
        blobs=blobs,
        layers=layers,
        container_layers=ContainerLayers(db, layers, data_root, run_root),
        images=images,
        registry=registry,
    )
