"""Rooms that few engines need, each imported and put together when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from knarr.content import BlobStore
from knarr.image import ImageService
from knarr.services import Abroad, Builders
from knarr.snapshot import ContainerLayers, Layers
from knarr.store import Database

if TYPE_CHECKING:
    from knarr.build.housekeeping import Housekeeping
    from knarr.build.runner import Runner
    from knarr.image import Exchange
    from knarr.registry import RegistryTable


def abroad(
    table: RegistryTable, db: Database, blobs: BlobStore, layers: Layers, images: ImageService
) -> Abroad:
    """What speaks with registries."""
    from knarr.image import Exchange, Remotes
    from knarr.registry import Puller, Pusher, Registries, Transport

    registries = Registries(table, Transport())
    puller, pusher = Puller(registries, blobs), Pusher(registries, blobs)
    return Abroad(
        registries=registries,
        exchange=Exchange(db, blobs, layers, images, puller, pusher),
        remotes=Remotes(registries, blobs),
    )


def build_cache(db: Database, layers: Layers, data_root: Path) -> Housekeeping:
    from knarr.build.housekeeping import build_cache

    return build_cache(db, layers, data_root)


def builders(
    *,
    db: Database,
    layers: Layers,
    container_layers: ContainerLayers,
    images: ImageService,
    runner: Runner,
    cache: Callable[[], Housekeeping],
    exchange: Callable[[], Exchange],
    data_root: Path,
    run_root: Path,
) -> Builders:
    """What builds."""
    from knarr.build import Solver
    from knarr.buildkit import Door
    from knarr.dockerfile.service import BuildService
    from knarr.image import BasePuller

    solver = Solver(db, layers, container_layers, runner, cache(), data_root, run_root)
    builds = BuildService(db, images, solver, data_root, BasePuller(exchange))
    return Builders(builds=builds, buildkit=Door(builds, images, exchange, run_root))


def has_cut_off_builds(data_root: Path, run_root: Path) -> bool:
    """Whether builds were under way when a daemon was killed: ``builders`` clears up after them."""
    folders = (data_root / "build" / "tmp", run_root / "builds")
    return any(folder.is_dir() and any(folder.iterdir()) for folder in folders)
