"""The engine, built by plain constructor calls, and put right after whatever ended the last one."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Final

from knarr.container import ContainerRegistry, ContainerService, Copier, ExecService
from knarr.container.committing import Committer
from knarr.container.creation import Creator
from knarr.container.facts import prepared_machine
from knarr.container.imagemounts import ImageMounts
from knarr.container.journal import Journal
from knarr.container.launch import Launcher
from knarr.container.links import running_links
from knarr.container.logs.sending import LogSender
from knarr.container.mapped import MappedMounts
from knarr.container.mounting import Mounter
from knarr.container.rows import load_all
from knarr.container.settings import Defaults
from knarr.container.steps import StepRunner
from knarr.container.views import ContainerViews
from knarr.content import BlobStore, Budget
from knarr.content.partial import sweep_partials
from knarr.daemon import seldom
from knarr.daemon.registry import serving_registry
from knarr.daemon.remapping import prepared_remap
from knarr.daemon.settings import Settings
from knarr.daemon.upkeep import kept_up
from knarr.events import EventBus
from knarr.ids import ContainerId, new_hex
from knarr.image import ImageService
from knarr.later import Later
from knarr.network import NetworkService, NetworkSettings
from knarr.registry import table_of
from knarr.runtime import Keeper, probe
from knarr.services import About, Engine
from knarr.snapshot import ContainerLayers, Layers, snapshotters
from knarr.store import Database
from knarr.volume import VolumeService

_SECURITY: Final = ("name=seccomp,profile=builtin",)
_log = logging.getLogger("knarr.daemon")


@asynccontextmanager
async def assembled(settings: Settings, tasks: asyncio.TaskGroup) -> AsyncIterator[Engine]:
    """The engine for the length of a block; containers outlive it."""
    data_root, run_root = settings.data_root, settings.run_root
    bus = EventBus()
    db = Database(data_root / "knarr.db", bus)
    db.forget_old_events()
    machine = prepared_machine()
    registry = ContainerRegistry()
    for container in load_all(db):
        registry.put(container)
    budget = Budget(settings.disk_budget_bytes)
    blobs = BlobStore(data_root, budget)
    drivers = snapshotters(data_root, run_root, settings.snapshotter)
    layers = Layers(data_root, drivers, budget=budget)
    container_layers = ContainerLayers(db, layers, data_root, run_root)
    images = ImageService(db, blobs, layers, registry)
    for found in await asyncio.to_thread(images.repair):
        _log.warning("%s", found)
    sweep_partials(blobs, time.time())
    table = table_of(settings.registries)
    abroad = Later(partial(seldom.abroad, table, db, blobs, layers, images))
    volumes = VolumeService(db=db, data_root=data_root, run_root=run_root)
    keeper = Keeper(run_root)
    networks = NetworkService(
        db,
        str(run_root),
        NetworkSettings(bind_address=settings.publish_ip, icc=settings.icc),
        sockets=keeper,
    )
    processes = await keeper.ensure()
    runtimes = await probe(keeper, run_root)
    default_runtime = runtimes.named(settings.runtime).name
    running = {ContainerId(each.id) for each in processes if each.exec_id is None}
    container_layers.repair(running)
    volumes.restore([each.id for each in registry], running)
    image_mounts = ImageMounts(db=db, layers=layers, run_root=run_root)
    image_mounts.restore(running)
    mapped = MappedMounts(run_root)
    mapped.restore(running)
    mounter = Mounter(volumes=volumes, images=images, image_mounts=image_mounts, mapped=mapped)
    remap = await prepared_remap(settings.remap, keeper, data_root, run_root)
    await networks.start(running, running_links(registry, running))
    launcher = Launcher(
        registry=registry,
        images=images,
        layers=container_layers,
        networks=networks,
        mounter=mounter,
        keeper=keeper,
        runtimes=runtimes,
        machine=machine,
        remap=remap,
        tasks=tasks,
        data_root=data_root,
        run_root=run_root,
    )
    creator = Creator(
        db=db,
        registry=registry,
        images=images,
        layers=container_layers,
        networks=networks,
        mounter=mounter,
        machine=machine,
        defaults=Defaults(
            runtime=default_runtime,
            log_config=settings.container_log,
            storage_opt=settings.storage_opt,
        ),
        runtimes=runtimes,
        remap=remap,
    )
    execs = ExecService(db=db, registry=registry, launcher=launcher, keeper=keeper)
    steps = StepRunner(
        keeper=keeper,
        runtimes=runtimes,
        networks=networks,
        machine=machine,
        remap=remap,
        run_root=run_root,
    )
    journal = Journal(db, registry)
    logs = LogSender(registry, launcher.log_folder, tasks)
    containers = ContainerService(
        journal=journal,
        creator=creator,
        launcher=launcher,
        keeper=keeper,
        execs=execs,
        steps=steps,
        networks=networks,
        machine=machine,
        logs=logs,
        tasks=tasks,
    )
    copier = Copier(
        registry=registry,
        layers=container_layers,
        mounter=mounter,
        remap=remap,
        folder=launcher.folder,
        tell=containers.tell,
    )
    await launcher.sweep({each.id for each in registry}, running | keeper.untold_exits())
    await containers.supervisor.restore(processes)
    for container in registry:
        logs.begin(container)
    watching = tasks.create_task(containers.supervisor.watch_exits())
    views = ContainerViews(
        journal=journal, launcher=launcher, images=images, keeper=keeper, machine=machine
    )
    committer = Committer(
        db=db,
        registry=registry,
        images=images,
        layers=layers,
        container_layers=container_layers,
        keeper=keeper,
    )
    cache = Later(partial(seldom.build_cache, db, layers, data_root))
    builders = Later(
        partial(
            seldom.builders,
            db=db,
            layers=layers,
            container_layers=container_layers,
            images=images,
            runner=steps,
            cache=cache,
            exchange=lambda: abroad().exchange,
            data_root=data_root,
            run_root=run_root,
        )
    )
    if seldom.has_cut_off_builds(data_root, run_root):
        builders()  # it sweeps
    upkeep = kept_up(
        db=db,
        blobs=blobs,
        layers=layers,
        images=images,
        containers=registry,
        shrink_cache=lambda missing: cache().shrink(missing),
        budget=budget,
        data_root=data_root,
    )
    await upkeep.after_boot()
    background = ExitStack()
    about = About(
        id=_engine_id(db),
        data_root=data_root,
        run_root=run_root,
        driver="overlay2",
        snapshotter=layers.driver,
        runtimes={each.name: each.program for each in runtimes.working},
        default_runtime=default_runtime,
        log_driver=settings.container_log.type,
        registry_table=table,
        security_options=_SECURITY if remap is None else (*_SECURITY, "name=userns"),
    )
    try:
        async with serving_registry(settings.registry, db, blobs):
            background.enter_context(upkeep.going_on(tasks))
            yield Engine(
                about=about,
                db=db,
                bus=bus,
                images=images,
                containers=containers,
                views=views,
                committer=committer,
                copier=copier,
                execs=execs,
                networks=networks,
                volumes=volumes,
                upkeep=upkeep,
                abroad=abroad,
                builders=builders,
                build_cache=cache,
            )
    finally:
        background.close()
        watching.cancel()
        containers.close()
        logs.close()
        if abroad.made is not None:
            await abroad.made.leave()
        await networks.close()
        await keeper.close()
        layers.close()
        db.close()


def _engine_id(db: Database) -> str:
    """Of the data root: made once."""
    with db.transaction() as tx:
        tx.execute("INSERT OR IGNORE INTO facts VALUES ('engine-id', ?)", (new_hex(),))
    row = db.query_one("SELECT value FROM facts WHERE name = 'engine-id'")
    assert row is not None
    return str(row["value"])
