"""The store's upkeep, put together for one engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from knarr.container import ContainerRegistry
from knarr.content import BlobStore, Budget
from knarr.image import ImageService
from knarr.later import Later
from knarr.snapshot import Layers
from knarr.store import Database
from knarr.upkeep import Upkeep
from knarr.upkeep.pressure import Pressure, Shrink
from knarr.upkeep.syncing import Syncer

if TYPE_CHECKING:
    from knarr.upkeep import Check
    from knarr.upkeep.converting import Converter

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
    shrink_cache: Shrink,
    budget: Budget,
    data_root: Path,
) -> Upkeep:
    holders = StoreHolders(db, containers)

    def build_check() -> Check:
        from knarr.upkeep.fsck import Check
        from knarr.upkeep.repair import Repairer

        repairer = Repairer(db, blobs, layers, images, holders, data_root)
        return Check(db, blobs, layers, holders, repairer, data_root)

    def build_converter() -> Converter:
        from knarr.upkeep.converting import Converter

        return Converter(db, layers, holders)

    return Upkeep(
        checking=Later(build_check),
        converting=Later(build_converter),
        syncer=Syncer(db, blobs, layers),
        pressure=Pressure(db, images, shrink_cache, budget, data_root),
        holders=holders,
    )
