"""The engine: a record of its services, no behaviour of its own.

What registries and builds take is imported and built when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from knarr.container import ContainerService, Copier, ExecService
from knarr.container.committing import Committer
from knarr.container.views import ContainerViews
from knarr.events import EventBus
from knarr.image import ImageService
from knarr.later import Later
from knarr.network import NetworkService
from knarr.registry import RegistryTable
from knarr.store import Database
from knarr.upkeep import Upkeep
from knarr.volume import VolumeService

if TYPE_CHECKING:
    from knarr.build.housekeeping import Housekeeping
    from knarr.buildkit import Door
    from knarr.dockerfile.service import BuildService
    from knarr.image import Exchange, Remotes
    from knarr.registry import Registries


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
    registry_table: RegistryTable = field(default_factory=RegistryTable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abroad:
    """What speaks with registries."""

    registries: Registries
    exchange: Exchange
    remotes: Remotes

    async def leave(self) -> None:
        """Call off what is under way, and close connections."""
        await self.exchange.close()
        self.registries.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Builders:
    """What builds: for classic clients, and for those of BuildKit."""

    builds: BuildService
    buildkit: Door


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Built by plain constructor calls in ``daemon.assemble``; handed to every API route."""

    about: About
    db: Database
    bus: EventBus
    images: ImageService
    containers: ContainerService
    views: ContainerViews
    committer: Committer
    copier: Copier
    execs: ExecService
    networks: NetworkService
    volumes: VolumeService
    upkeep: Upkeep
    abroad: Later[Abroad]
    builders: Later[Builders]
    build_cache: Later[Housekeeping]

    @property
    def registries(self) -> Registries:
        return self.abroad().registries

    @property
    def exchange(self) -> Exchange:
        return self.abroad().exchange

    @property
    def remotes(self) -> Remotes:
        return self.abroad().remotes

    @property
    def builds(self) -> BuildService:
        return self.builders().builds

    @property
    def buildkit(self) -> Door:
        return self.builders().buildkit
