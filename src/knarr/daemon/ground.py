"""What containers run on: the machine, the keeper, runtimes, networks, volumes and mounts."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from knarr.container.facts import prepared_machine
from knarr.container.imagemounts import ImageMounts
from knarr.container.links import running_links
from knarr.container.machine import Machine
from knarr.container.mapped import MappedMounts
from knarr.container.mounting import Mounter
from knarr.container.remap import Remap
from knarr.daemon.remapping import prepared_remap
from knarr.daemon.settings import Settings
from knarr.daemon.stored import Stored
from knarr.ids import ContainerId
from knarr.network import NetworkService, NetworkSettings
from knarr.runtime import Keeper, Running, Runtimes, probe
from knarr.volume import VolumeService


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """processes: what the keeper holds since before this daemon; running: their containers."""

    machine: Machine
    keeper: Keeper
    runtimes: Runtimes
    default_runtime: str
    networks: NetworkService
    volumes: VolumeService
    mounter: Mounter
    remap: Remap | None
    processes: Collection[Running]
    running: AbstractSet[ContainerId]

    async def close(self) -> None:
        await self.networks.close()
        await self.keeper.close()


async def ground_rooms(settings: Settings, stored: Stored) -> Ground:
    """What runs keeps what it has; what a killed daemon left of other runs is taken away."""
    data_root, run_root = settings.data_root, settings.run_root
    machine = prepared_machine()
    volumes = VolumeService(db=stored.db, data_root=data_root, run_root=run_root)
    keeper = Keeper(run_root)
    networks = NetworkService(
        stored.db,
        str(run_root),
        NetworkSettings(bind_address=settings.publish_ip, icc=settings.icc),
        sockets=keeper,
    )
    processes = await keeper.ensure()
    runtimes = await probe(keeper, run_root)
    default_runtime = runtimes.named(settings.runtime).name
    running = {ContainerId(each.id) for each in processes if each.exec_id is None}
    stored.container_layers.repair(running)
    volumes.restore([each.id for each in stored.registry], running)
    image_mounts = ImageMounts(db=stored.db, layers=stored.layers, run_root=run_root)
    image_mounts.restore(running)
    mapped = MappedMounts(run_root)
    mapped.restore(running)
    remap = await prepared_remap(settings.remap, keeper, data_root, run_root)
    await networks.start(running, running_links(stored.registry, running))
    return Ground(
        machine=machine,
        keeper=keeper,
        runtimes=runtimes,
        default_runtime=default_runtime,
        networks=networks,
        volumes=volumes,
        mounter=Mounter(
            volumes=volumes, images=stored.images, image_mounts=image_mounts, mapped=mapped
        ),
        remap=remap,
        processes=processes,
        running=running,
    )
