"""What stands behind a container's mounts: found or made at creation, ready at a start, let go."""

import os
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from knarr.container.imagemounts import ImageMounts, with_image
from knarr.container.mapped import MappedMounts
from knarr.container.model import Container
from knarr.container.mounts import located
from knarr.container.remap import Remap
from knarr.container.runtime_mounts import check_propagation
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.ids import ContainerId
from knarr.image import ImageService
from knarr.kernel import mount
from knarr.spec.record import MountPlan
from knarr.volume import VolumeService


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounter:
    """Binds, volumes and images of containers; tmpfs and /dev/shm are the runtime's affair."""

    volumes: VolumeService
    images: ImageService
    image_mounts: ImageMounts
    mapped: MappedMounts

    # For a container's life

    def settle(
        self, container: ContainerId, plans: tuple[MountPlan, ...], undo: ExitStack
    ) -> tuple[MountPlan, ...]:
        """The mounts of a new container with the volumes and images they mean, held for it.

        Raises NotFound for an image that is not here, and what making a volume raises.
        """
        settled = tuple(self._settled(container, plan, undo) for plan in plans)
        self.image_mounts.hold(container, settled)
        undo.callback(self.image_mounts.release, container)
        return settled

    def _settled(self, container: ContainerId, plan: MountPlan, undo: ExitStack) -> MountPlan:
        match plan.kind:
            case "volume":
                volume, is_new = self.volumes.found_or_created(
                    plan.name, driver=plan.driver, options=plan.driver_options, labels=plan.labels
                )
                if is_new:
                    undo.callback(self.volumes.forget, volume.name)
                self.volumes.hold(volume.name, container)
                undo.callback(self.volumes.release, volume.name, container)
                return located(plan, volume.mountpoint, name=volume.name, driver=volume.driver)
            case "image" if not plan.layers:  # one that another container lends is settled already
                return with_image(plan, self.images.resolve(plan.source))
        return plan

    async def release(self, container: Container, *, volumes: bool) -> None:
        """The container is removed; with ``volumes`` its anonymous ones go too."""
        self.image_mounts.release(container.id)
        for plan in container.record.mounts:
            if plan.kind != "volume":
                continue
            self.volumes.release(plan.name, container.id)
            if volumes and plan.anonymous:
                with suppress(Conflict, NotFound):
                    await self.volumes.remove(plan.name)

    # For one run

    async def ready(
        self, container: Container, rootfs: str, undo: AsyncExitStack, remap: Remap | None = None
    ) -> tuple[MountPlan, ...]:
        """All mounts with their sources there: folders made, volumes filled and mounted.

        rootfs: the container's mounted root, for what an empty volume is filled with.
        remap: how its users are mapped. Volumes and images follow; a bind is the host's as it is.
        """
        plans = container.record.mounts
        return tuple([await self._ready(container, plan, rootfs, undo, remap) for plan in plans])

    async def _ready(
        self,
        container: Container,
        plan: MountPlan,
        rootfs: str,
        undo: AsyncExitStack,
        remap: Remap | None,
    ) -> MountPlan:
        id_map = remap.id_map if remap is not None else None
        match plan.kind:
            case "bind":
                _ready_bind(plan)
                if _leaves_out(plan):
                    undo.callback(self.mapped.clear, container.id)
                    return located(plan, self.mapped.alone(container.id, plan))
            case "volume":
                await self.volumes.fill(plan, rootfs, remap.owners if remap is not None else None)
                source = await self.volumes.mount(plan, container.id)
                undo.push_async_callback(self.volumes.unmount, plan, container.id)
                if id_map is not None:
                    undo.callback(self.mapped.clear, container.id)
                    source = self.mapped.mount(container.id, located(plan, source), id_map)
                return located(plan, source)
            case "image":
                undo.callback(self.image_mounts.clear, container.id)
                return located(plan, self.image_mounts.mount(container.id, plan, id_map=id_map))
        return plan

    async def clear(self, container: Container) -> None:
        """The run has ended."""
        plans = container.record.mounts
        if any(plan.kind == "volume" or not plan.recursive for plan in plans):
            self.mapped.clear(container.id)
        for plan in plans:
            if plan.kind == "volume":
                await self.volumes.unmount(plan, container.id)
        if any(plan.kind == "image" for plan in plans):
            self.image_mounts.clear(container.id)


def _leaves_out(plan: MountPlan) -> bool:
    """Whether mounts lie beneath the source that are not wanted."""
    if plan.recursive:
        return False
    source = os.path.realpath(plan.source)
    return any(point != source for point in mount.mounts_beneath(source))


def _ready_bind(plan: MountPlan) -> None:
    if os.path.lexists(plan.source):
        if plan.propagation != "rprivate":
            table = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
            check_propagation(plan.propagation, os.path.realpath(plan.source), table)
        return
    if not plan.create_source:
        raise InvalidArgument(
            f'invalid mount config for type "bind": bind source path does not exist: {plan.source}'
        )
    os.makedirs(plan.source, exist_ok=True)
