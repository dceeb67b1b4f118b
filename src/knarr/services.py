"""The engine: a record of its services, no behaviour of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from knarr.buildkit import Door
from knarr.container import ContainerService, Copier, ExecService
from knarr.container.committing import Committer
from knarr.container.views import ContainerViews
from knarr.dockerfile.service import BuildService
from knarr.events import EventBus
from knarr.image import Exchange, ImageService, Remotes
from knarr.network import NetworkService
from knarr.registry import Registries
from knarr.store import Database
from knarr.upkeep import Upkeep
from knarr.volume import VolumeService


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the engine knows of itself: shown by ``info``.

    id: of the data root, made once. runtimes: name to program of those that work here.
    """

    id: str
    data_root: Path
    run_root: Path
    driver: str
    snapshotter: str
    runtimes: Mapping[str, str] = field(default_factory=dict)
    default_runtime: str = ""
    log_driver: str = "json-file"  # of containers that name none
    security_options: tuple[str, ...] = ("name=seccomp,profile=builtin",)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Built by plain constructor calls in ``daemon.assemble``; handed to every API route."""

    about: About
    db: Database
    bus: EventBus
    images: ImageService
    exchange: Exchange
    registries: Registries
    remotes: Remotes
    containers: ContainerService
    views: ContainerViews
    committer: Committer
    copier: Copier
    execs: ExecService
    networks: NetworkService
    volumes: VolumeService
    builds: BuildService
    buildkit: Door
    upkeep: Upkeep
