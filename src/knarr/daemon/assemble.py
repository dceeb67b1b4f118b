"""The engine, put together of its rooms, and taken apart again.

What keeps things is in stored.py, what containers run on in ground.py, the services of containers
in contained.py, rooms that wait in seldom.py.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial

from knarr.daemon import seldom
from knarr.daemon.contained import Contained, container_rooms
from knarr.daemon.ground import Ground, ground_rooms
from knarr.daemon.registry import serving_registry
from knarr.daemon.settings import Settings
from knarr.daemon.stored import Stored, stored_rooms
from knarr.daemon.upkeep import kept_up
from knarr.ids import new_hex
from knarr.later import Later
from knarr.registry import RegistryTable, table_of
from knarr.services import About, Engine
from knarr.store import Database


@asynccontextmanager
async def assembled(settings: Settings, tasks: asyncio.TaskGroup) -> AsyncIterator[Engine]:
    """The engine for the length of a block; containers outlive it."""
    table = table_of(settings.registries)
    stored = await stored_rooms(settings)
    ground = await ground_rooms(settings, stored)
    contained = await container_rooms(settings, stored, ground, tasks)
    engine = _engine(settings, table, stored, ground, contained)
    if seldom.has_cut_off_builds(settings.data_root, settings.run_root):
        engine.builders()  # it sweeps
    await engine.upkeep.after_boot()
    background = ExitStack()
    try:
        async with serving_registry(settings.registry, stored.db, stored.blobs):
            background.enter_context(engine.upkeep.going_on(tasks))
            yield engine
    finally:
        background.close()
        contained.close()
        if engine.abroad.made is not None:
            await engine.abroad.made.leave()
        await ground.close()
        stored.close()


def _engine(
    settings: Settings, table: RegistryTable, stored: Stored, ground: Ground, contained: Contained
) -> Engine:
    db, layers, images = stored.db, stored.layers, stored.images
    data_root, run_root = settings.data_root, settings.run_root
    abroad = Later(partial(seldom.abroad, table, db, stored.blobs, layers, images))
    cache = Later(partial(seldom.build_cache, db, layers, data_root))
    builders = Later(
        partial(
            seldom.builders,
            db=db,
            layers=layers,
            container_layers=stored.container_layers,
            images=images,
            runner=contained.steps,
            cache=cache,
            exchange=lambda: abroad().exchange,
            data_root=data_root,
            run_root=run_root,
        )
    )
    upkeep = kept_up(
        db=db,
        blobs=stored.blobs,
        layers=layers,
        images=images,
        containers=stored.registry,
        shrink_cache=lambda missing: cache().shrink(missing),
        budget=stored.budget,
        data_root=data_root,
    )
    about = About(
        id=_engine_id(db),
        data_root=data_root,
        run_root=run_root,
        driver="overlay2",
        snapshotter=layers.driver,
        runtimes={each.name: each.program for each in ground.runtimes.working},
        default_runtime=ground.default_runtime,
        log_driver=settings.container_log.type,
        registry_table=table,
        security_options=tuple(_security(ground)),
    )
    return Engine(
        about=about,
        db=db,
        bus=stored.bus,
        images=images,
        containers=contained.containers,
        views=contained.views,
        committer=contained.committer,
        copier=contained.copier,
        execs=contained.execs,
        networks=ground.networks,
        volumes=ground.volumes,
        upkeep=upkeep,
        abroad=abroad,
        builders=builders,
        build_cache=cache,
    )


def _security(ground: Ground) -> Iterator[str]:
    """What stands around containers, as `info` words it."""
    if ground.machine.apparmor_profile:
        yield "name=apparmor"
    yield "name=seccomp,profile=builtin"
    if ground.remap is not None:
        yield "name=userns"
    if ground.machine.cgroup_version == 2:
        yield "name=cgroupns"


def _engine_id(db: Database) -> str:
    """Of the data root: made once."""
    with db.transaction() as tx:
        tx.execute("INSERT OR IGNORE INTO facts VALUES ('engine-id', ?)", (new_hex(),))
    row = db.query_one("SELECT value FROM facts WHERE name = 'engine-id'")
    assert row is not None
    return str(row["value"])
