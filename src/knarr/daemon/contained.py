"""The services of containers, put together, and told what has run on without a daemon."""

import asyncio
from dataclasses import dataclass

from knarr.container import ContainerService, Copier, ExecService
from knarr.container.committing import Committer
from knarr.container.creation import Creator
from knarr.container.journal import Journal
from knarr.container.launch import Launcher
from knarr.container.logs.sending import LogSender
from knarr.container.settings import Defaults
from knarr.container.steps import StepRunner
from knarr.container.views import ContainerViews
from knarr.daemon.ground import Ground
from knarr.daemon.settings import Settings
from knarr.daemon.stored import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """watching: the task that hears of exits."""

    containers: ContainerService
    views: ContainerViews
    committer: Committer
    copier: Copier
    execs: ExecService
    steps: StepRunner
    logs: LogSender
    watching: asyncio.Task[None]

    def close(self) -> None:
        self.watching.cancel()
        self.containers.close()
        self.logs.close()


async def container_rooms(
    settings: Settings, stored: Stored, ground: Ground, tasks: asyncio.TaskGroup
) -> Contained:
    registry, keeper = stored.registry, ground.keeper
    launcher = _launcher(settings, stored, ground, tasks)
    journal = Journal(stored.db, registry)
    execs = ExecService(db=stored.db, registry=registry, launcher=launcher, keeper=keeper)
    logs = LogSender(registry, launcher.log_folder, tasks)
    steps = StepRunner(
        keeper=keeper,
        runtimes=ground.runtimes,
        networks=ground.networks,
        machine=ground.machine,
        remap=ground.remap,
        run_root=settings.run_root,
    )
    containers = ContainerService(
        journal=journal,
        creator=_creator(settings, stored, ground),
        launcher=launcher,
        keeper=keeper,
        execs=execs,
        steps=steps,
        networks=ground.networks,
        machine=ground.machine,
        logs=logs,
        tasks=tasks,
    )
    await launcher.sweep({each.id for each in registry}, ground.running | keeper.untold_exits())
    await containers.supervisor.restore(ground.processes)
    for container in registry:
        logs.begin(container)
    return Contained(
        containers=containers,
        views=ContainerViews(
            journal=journal,
            launcher=launcher,
            images=stored.images,
            keeper=keeper,
            machine=ground.machine,
        ),
        committer=Committer(
            db=stored.db,
            registry=registry,
            images=stored.images,
            layers=stored.layers,
            container_layers=stored.container_layers,
            keeper=keeper,
        ),
        copier=Copier(
            registry=registry,
            layers=stored.container_layers,
            mounter=ground.mounter,
            remap=ground.remap,
            folder=launcher.folder,
            tell=containers.tell,
        ),
        execs=execs,
        steps=steps,
        logs=logs,
        watching=tasks.create_task(containers.supervisor.watch_exits()),
    )


def _launcher(
    settings: Settings, stored: Stored, ground: Ground, tasks: asyncio.TaskGroup
) -> Launcher:
    return Launcher(
        registry=stored.registry,
        images=stored.images,
        layers=stored.container_layers,
        networks=ground.networks,
        mounter=ground.mounter,
        keeper=ground.keeper,
        runtimes=ground.runtimes,
        machine=ground.machine,
        remap=ground.remap,
        tasks=tasks,
        data_root=settings.data_root,
        run_root=settings.run_root,
    )


def _creator(settings: Settings, stored: Stored, ground: Ground) -> Creator:
    return Creator(
        db=stored.db,
        registry=stored.registry,
        images=stored.images,
        layers=stored.container_layers,
        networks=ground.networks,
        mounter=ground.mounter,
        machine=ground.machine,
        defaults=Defaults(
            runtime=ground.default_runtime,
            log_config=settings.container_log,
            storage_opt=settings.storage_opt,
        ),
        runtimes=ground.runtimes,
        remap=ground.remap,
    )
