"""The store's upkeep, put together for one engine."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from knarr.build.housekeeping import Housekeeping
from knarr.container import ContainerRegistry
from knarr.content import BlobStore, Budget
from knarr.image import ImageService
from knarr.snapshot import Layers
from knarr.store import Database
from knarr.upkeep import Check, Upkeep
from knarr.upkeep.converting import Converter
from knarr.upkeep.pressure import Pressure
from knarr.upkeep.repair import Repairer
from knarr.upkeep.syncing import Syncer

_OF_CONTAINERS = ("container", "image-mounts")


class StoreHolders:
    """Who holds layers besides images: containers, the build cache, work under way."""

    def __init__(self, db: Database, containers: ContainerRegistry) -> None:
        self._db, self._containers = db, containers

    def living(self) -> Mapping[str, Callable[[], Iterable[str]]]:
        def containers() -> list[str]:
            return [each.id for each in self._containers]

        def records() -> list[str]:
            return [row["id"] for row in self._db.query("SELECT id FROM build_records")]

        return {**{f"{kind}/": containers for kind in _OF_CONTAINERS}, "build/": records}

    def name_of(self, holder: str) -> str:
        kind, _, name = holder.partition("/")
        if kind in _OF_CONTAINERS:
            found = self._containers.get(name)
            return f"container {found.name if found else name[:12]}"
        return {"build": "the build cache", "lease": "a pull or build under way",
                "registry": "the registry that is served"}.get(kind, "")  # fmt: skip

    def runs(self, holder: str) -> bool:
        kind, _, name = holder.partition("/")
        if kind in _OF_CONTAINERS:
            found = self._containers.get(name)
            return found is not None and found.alive
        return kind == "lease"


def kept_up(
    *,
    db: Database,
    blobs: BlobStore,
    layers: Layers,
    images: ImageService,
    containers: ContainerRegistry,
    cache: Housekeeping,
    budget: Budget,
    data_root: Path,
) -> Upkeep:
    holders = StoreHolders(db, containers)
    repairer = Repairer(db, blobs, layers, images, holders, data_root)
    return Upkeep(
        check=Check(db, blobs, layers, holders, repairer, data_root),
        converter=Converter(db, layers, holders),
        syncer=Syncer(db, blobs, layers),
        pressure=Pressure(db, images, cache, budget, data_root),
        holders=holders,
    )
