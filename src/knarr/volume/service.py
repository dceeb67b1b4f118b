"""The verbs of volumes.

The data of a volume is in ``<data root>/volumes/<name>/_data``.
"""

import asyncio
import logging
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from knarr.errors import Conflict, InvalidArgument, KnarrError, NotFound, Unavailable
from knarr.events import Event
from knarr.ids import new_hex
from knarr.kernel import mount as kernel
from knarr.kernel.owners import Owners
from knarr.snapshot.pack import Sink
from knarr.spec.docker import volume as spec
from knarr.spec.record import MountPlan
from knarr.store import Database
from knarr.volume import rows
from knarr.volume.data import (
    FILLING,
    copy_into,
    extract_all,
    fill,
    image_folder,
    is_empty,
    pack_all,
    size_of,
)
from knarr.volume.local import mount_data, unmount_data
from knarr.volume.model import (
    ANONYMOUS_LABEL,
    LOCAL,
    Filters,
    Volume,
    check_filters,
    check_name,
    passes,
    switch,
)
from knarr.volume.options import check_options, local_mount
from knarr.volume.subpaths import Subpaths
from knarr.volume.trash import Trash

_DATA: Final = "_data"
_log = logging.getLogger("knarr.volume")


class VolumeService:
    """Volumes from creation to removal, and what containers do with them."""

    def __init__(self, *, db: Database, data_root: Path, run_root: Path) -> None:
        self._db = db
        self._root = data_root / "volumes"
        self._trash = Trash(self._root)
        self._subpaths = Subpaths(run_root / "volumes")
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._pruning = False

    def _place(self, name: str) -> str:
        return str(self._root / name / _DATA)

    # Looking

    def get(self, name: str) -> Volume:
        """Raises NotFound in Docker's words."""
        if (volume := rows.load(self._db, name, self._place)) is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    def all(self) -> tuple[Volume, ...]:
        """Every volume, by name."""
        return rows.load_all(self._db, self._place)

    def users(self, name: str) -> tuple[str, ...]:
        """The containers that have it, running or not."""
        return rows.users_of(self._db, name)

    def inspect(self, name: str) -> spec.Volume:
        return document(self.get(name))

    def list(self, filters: Filters) -> spec.VolumeList:
        """Filters: dangling, driver, label, name."""
        check_filters(filters, "dangling", "driver", "label", "name")
        found = (document(volume) for volume in self._passing(filters))
        return spec.VolumeList(volumes=tuple(found))

    def _passing(self, filters: Filters) -> Iterator[Volume]:
        switch(filters, "dangling")  # wrong even where there is no volume to see it
        users = rows.users(self._db)
        for volume in self.all():
            if passes(volume, filters, in_use=volume.name in users):
                yield volume

    async def usage(self) -> tuple[spec.Volume, ...]:
        """Every volume with its size and the number of containers that have it.

        What a volume mounts from elsewhere takes no room here: size -1.
        """
        users = rows.users(self._db)
        return tuple(
            [
                replace(
                    document(volume),
                    usage_data=spec.VolumeUsage(
                        size=await self._size(volume), ref_count=len(users.get(volume.name, ()))
                    ),
                )
                for volume in self.all()
            ]
        )

    async def _size(self, volume: Volume) -> int:
        if volume.options:
            return -1
        try:
            return await asyncio.to_thread(size_of, volume.mountpoint)
        except OSError as error:
            _log.warning("size of volume %s: %s", volume.name, error)
            return -1

    # Changing

    def create(self, body: spec.VolumeCreate) -> spec.Volume:
        """A volume by that name, made unless there is one; without a name a new anonymous one."""
        if body.cluster_volume_spec is not None:
            raise Unavailable("cluster volumes need swarm, which knarr has not")
        volume, _ = self.found_or_created(
            body.name, driver=body.driver, options=body.driver_opts, labels=body.labels
        )
        return document(volume)

    def found_or_created(
        self,
        name: str,
        *,
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[Volume, bool]:
        """The volume, and whether it was made just now (then ``forget`` undoes it).

        Raises InvalidArgument, NotFound for another driver than ``local``, in Docker's words.
        """
        labels = dict(labels or {})
        if not name:
            name = new_hex()
            labels[ANONYMOUS_LABEL] = ""
        if driver not in ("", LOCAL):
            raise NotFound(
                f"create {name}: error looking up volume plugin {driver}:"
                f' plugin "{driver}" not found'
            )
        if (found := rows.load(self._db, name, self._place)) is not None:
            return found, False
        check_name(name)
        try:
            check_options(options or {})
        except InvalidArgument as error:
            raise InvalidArgument(f"create {name}: {error}") from error
        volume = Volume(
            name=name,
            driver=LOCAL,
            mountpoint=self._place(name),
            created_ns=time.time_ns(),
            labels=labels,
            options=dict(options or {}),
        )
        self._make(volume)
        return volume, True

    def _make(self, volume: Volume) -> None:
        folder = self._root / volume.name
        with _undone_on_failure(folder):
            try:
                folder.mkdir(mode=0o701, parents=True, exist_ok=True)
                (folder / _DATA).mkdir(mode=0o755, exist_ok=True)
                (folder / _DATA).chmod(0o755)  # whatever the umask says
            except OSError as error:
                raise KnarrError(
                    f"error while creating volume root path '{folder}': {error.strerror}"
                ) from error
            with self._db.transaction() as tx:
                rows.insert(tx, volume)
                tx.emit(_event(volume.name, "create", driver=volume.driver))

    def forget(self, name: str) -> None:
        """Take back a creation, in silence, as long as nobody else came to have it."""
        if self.users(name) or rows.load(self._db, name, self._place) is None:
            return
        trash = self._trash.take(name)
        with self._db.transaction() as tx:
            rows.delete(tx, name)
        shutil.rmtree(trash, ignore_errors=True)

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove the volume and its data.

        force: no volume of that name is no failure.
        Raises NotFound, and Conflict while a container has it.
        """
        async with self._locks[name]:
            try:
                volume = self.get(name)
            except NotFound:
                if force:
                    return
                raise
            self._check_unused(volume)
            await self._remove(volume)

    def _check_unused(self, volume: Volume) -> None:
        if users := self.users(volume.name):
            raise Conflict(f"remove {volume.name}: volume is in use - [{', '.join(users)}]")

    async def _remove(self, volume: Volume) -> None:
        with suppress(OSError):
            if kernel.is_mount_point(volume.mountpoint):
                kernel.unmount(volume.mountpoint, lazy=True)
        try:
            trash = self._trash.take(volume.name)
        except OSError as error:
            raise KnarrError(f"remove {volume.name}: {error}") from error
        try:
            with self._db.transaction() as tx:
                rows.delete(tx, volume.name)
                tx.emit(_event(volume.name, "destroy", driver=volume.driver))
        except BaseException:
            self._trash.put_back(volume.name, trash)
            raise
        await asyncio.to_thread(shutil.rmtree, trash, ignore_errors=True)

    async def prune(self, filters: Filters) -> spec.VolumesPruned:
        """Remove what no container has: anonymous volumes, with the filter ``all`` named ones too.

        What is mounted from elsewhere stays: no room would be won.
        """
        check_filters(filters, "all", "label", "label!")
        everything = switch(filters, "all") or False
        if self._pruning:
            raise Conflict("a prune operation is already running")
        self._pruning = True
        try:
            return await self._pruned(filters, everything=everything)
        finally:
            self._pruning = False

    async def _pruned(self, filters: Filters, *, everything: bool) -> spec.VolumesPruned:
        removed: list[str] = []
        reclaimed = 0
        for volume in self.prunable(filters, everything=everything):
            size = await self._size(volume)
            with suppress(Conflict, NotFound):  # a container took it meanwhile
                await self.remove(volume.name)
                removed.append(volume.name)
                reclaimed += max(0, size)
        with self._db.transaction() as tx:
            tx.emit(_event("", "prune", reclaimed=str(reclaimed)))
        return spec.VolumesPruned(volumes_deleted=tuple(removed), space_reclaimed=reclaimed)

    def prunable(self, filters: Filters, *, everything: bool) -> tuple[Volume, ...]:
        """What a prune would remove."""
        kept = {name: values for name, values in filters.items() if name != "all"}
        return tuple(
            volume
            for volume in self._passing({**kept, "dangling": ("true",)})
            if not volume.options and (everything or volume.anonymous)
        )

    async def rename(self, name: str, new_name: str) -> None:
        """Give a volume that nobody has another name. Raises Conflict, NotFound."""
        async with self._locks[name]:
            volume = self.get(name)
            check_name(new_name)
            self._check_unused(volume)
            if rows.load(self._db, new_name, self._place) is not None:
                raise Conflict(f"volume {new_name} exists already")
            (self._root / name).rename(self._root / new_name)
            try:
                with self._db.transaction() as tx:
                    rows.rename(tx, name, new_name)
                    tx.emit(_event(name, "destroy", driver=volume.driver))
                    tx.emit(_event(new_name, "create", driver=volume.driver))
            except BaseException:
                (self._root / new_name).rename(self._root / name)
                raise

    async def clone(self, name: str, new_name: str) -> Volume:
        """A new volume with the same data, sharing blocks where the file system can.

        A container that writes meanwhile may be caught halfway: stop it for a sure copy.
        """
        volume = self.get(name)
        if local_mount(volume.options) is not None:
            raise InvalidArgument(f"volume {name} mounts its data from elsewhere: copy that")
        check_name(new_name)
        if rows.load(self._db, new_name, self._place) is not None:
            raise Conflict(f"volume {new_name} exists already")
        labels = {key: value for key, value in volume.labels.items() if key != ANONYMOUS_LABEL}
        copied, _ = self.found_or_created(new_name, labels=labels)
        try:
            await asyncio.to_thread(copy_into, volume.mountpoint, copied.mountpoint)
        except OSError as error:
            self.forget(new_name)
            raise KnarrError(f"copying volume {name}: {error}") from error
        except BaseException:
            self.forget(new_name)
            raise
        return copied

    def pack(self, name: str) -> Callable[[Sink], None]:
        """What hands the volume's data to a sink as a tar; synchronous, for a thread.

        A container that writes meanwhile may be caught halfway. Raises NotFound at once.
        """
        return partial(pack_all, self.get(name).mountpoint)

    async def import_(self, name: str, chunks: Callable[[], bytes]) -> Volume:
        """A tar, compressed or not, as the data of a volume: a new one, or one that is empty.

        chunks: the next chunk, empty at the end; called in a thread.
        Raises Conflict where there is data already, InvalidArgument for a broken archive.
        """
        async with self._locks[name]:
            volume, is_new = self.found_or_created(name)
            if not await asyncio.to_thread(is_empty, volume.mountpoint):
                raise Conflict(f"volume {name} has data already: import into another one")
            try:
                await asyncio.to_thread(extract_all, volume.mountpoint, chunks)
            except BaseException:
                if is_new:
                    self.forget(name)
                raise
            return volume

    # What containers do

    def hold(self, name: str, container: str) -> None:
        """The container has the volume from now on, running or not. Raises NotFound."""
        self.get(name)
        with self._db.transaction() as tx:
            rows.add_user(tx, name, container)

    def release(self, name: str, container: str) -> None:
        """The container is gone."""
        with self._db.transaction() as tx:
            rows.drop_user(tx, name, container)

    async def fill(self, plan: MountPlan, rootfs: str, owners: Owners | None = None) -> None:
        """Give an empty volume what the image has at the mount's destination.

        rootfs: the container's mounted root. owners: whose numbers its files have, None for the
        host's; the volume gets them as they are inside. Nothing happens where the volume has
        anything in it, where the image has no directory there, or with ``nocopy``.
        """
        if not plan.fill or plan.kind != "volume":
            return
        async with self._locks[plan.name]:
            volume = self.get(plan.name)
            source = image_folder(rootfs, plan.destination)
            if source is None:
                return
            try:
                if not is_empty(volume.mountpoint):
                    return
                in_use = rows.mounts(self._db, volume.name) > 0
                await asyncio.to_thread(
                    fill, source, volume.mountpoint, in_place=in_use, owners=owners
                )
            except OSError as error:
                raise KnarrError(f"failed to populate volume {volume.name}: {error}") from error
            finally:
                os.close(source)

    async def mount(self, plan: MountPlan, container: str) -> str:
        """Make the volume's data be there for a start of the container; where it is.

        A volume with driver options is mounted for the first container and unmounted after the
        last. Raises KnarrError with the kernel's reason, InvalidArgument for a missing subpath.
        """
        async with self._locks[plan.name]:
            volume = self.get(plan.name)
            if local_mount(volume.options) is not None:
                await asyncio.to_thread(mount_data, volume)
            try:
                source = volume.mountpoint
                if plan.subpath:
                    source = self._subpaths.bind(volume, plan, container)
                with self._db.transaction() as tx:
                    rows.add_user(tx, volume.name, container)
                    rows.count_mount(tx, volume.name, container, 1)
                    tx.emit(
                        _event(
                            volume.name,
                            "mount",
                            driver=volume.driver,
                            container=container,
                            destination=plan.destination,
                            propagation=plan.propagation,
                            **{"read/write": str(not plan.read_only).lower()},
                        )
                    )
            except BaseException:
                self._unmount_if_last(volume)
                raise
            return source

    async def unmount(self, plan: MountPlan, container: str) -> None:
        """The container stopped. Never fails: what cannot be undone now is undone at a restart."""
        async with self._locks[plan.name]:
            if plan.subpath:
                self._subpaths.unbind(plan, container)
            with self._db.transaction() as tx:
                rows.count_mount(tx, plan.name, container, -1)
                tx.emit(_event(plan.name, "unmount", driver=LOCAL, container=container))
            volume = rows.load(self._db, plan.name, self._place)
            if volume is not None:
                self._unmount_if_last(volume)

    def _unmount_if_last(self, volume: Volume) -> None:
        if not rows.mounts(self._db, volume.name):
            unmount_data(volume)

    # At the start of the daemon

    def restore(self, existing: Collection[str], running: Collection[str]) -> None:
        """Make what is recorded and what is there agree again after a crash or a reboot.

        existing, running: the IDs of all containers, and of those whose process lives.
        """
        self._root.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._trash.sweep(lambda name: rows.load(self._db, name, self._place) is not None)
        with self._db.transaction() as tx:
            rows.settle(tx, existing, running)
        for volume in self.all():
            (self._root / volume.name / _DATA).mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.rmtree(self._root / volume.name / FILLING, ignore_errors=True)
            self._unmount_if_last(volume)
        self._subpaths.clear(running)


def document(volume: Volume) -> spec.Volume:
    """The volume as the Engine API shows it."""
    created = datetime.fromtimestamp(volume.created_ns // 1_000_000_000, UTC)
    return spec.Volume(
        name=volume.name,
        driver=volume.driver,
        mountpoint=volume.mountpoint,
        labels=dict(volume.labels) or None,
        scope="local",
        options=dict(volume.options) or None,
        created_at=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _event(name: str, action: str, **attributes: str) -> Event:
    return Event(type="volume", action=action, actor=name, attributes=attributes)


@contextmanager
def _undone_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
