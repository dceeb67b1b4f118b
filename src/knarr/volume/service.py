"""The verbs of volumes.

The data of a volume is in ``<data root>/volumes/<name>/_data``. A removal first moves it to
``volumes/.trash/<name>@<digits>``, so that a crash leaves either a whole volume or none.
"""

import asyncio
import hashlib
import logging
import os
import secrets
import shutil
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from knarr.content import plain_chunks
from knarr.errors import Conflict, InvalidArgument, KnarrError, NotFound, Unavailable
from knarr.events import Event
from knarr.ids import new_hex
from knarr.kernel import mount as kernel
from knarr.kernel.openat2 import open_directory, openat2
from knarr.snapshot.extract import Manner, extract
from knarr.snapshot.pack import Sink, pack_tree
from knarr.spec.docker import volume as spec
from knarr.spec.record import MountPlan
from knarr.store import Database
from knarr.volume import rows
from knarr.volume.copy import copy_tree, size_bytes
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
from knarr.volume.options import (
    BIND,
    READ_ONLY,
    LocalMount,
    check_options,
    local_mount,
    with_address,
)

_DATA: Final = "_data"
_TRASH: Final = ".trash"
_FILLING: Final = "_filling"  # becomes the data once it is whole
_log = logging.getLogger("knarr.volume")


class VolumeService:
    """Volumes from creation to removal, and what containers do with them."""

    def __init__(self, *, db: Database, data_root: Path, run_root: Path) -> None:
        self._db = db
        self._root = data_root / "volumes"
        self._subpaths = run_root / "volumes"
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
            return await asyncio.to_thread(_size_of, volume.mountpoint)
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
        trash = self._trash(name)
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
            trash = self._trash(volume.name)
        except OSError as error:
            raise KnarrError(f"remove {volume.name}: {error}") from error
        try:
            with self._db.transaction() as tx:
                rows.delete(tx, volume.name)
                tx.emit(_event(volume.name, "destroy", driver=volume.driver))
        except BaseException:
            if trash.exists():
                trash.rename(self._root / volume.name)
            raise
        await asyncio.to_thread(shutil.rmtree, trash, ignore_errors=True)

    def _trash(self, name: str) -> Path:
        """Move a volume's folder out of the way; where to. A folder that is gone is fine."""
        trash = self._root / _TRASH
        trash.mkdir(mode=0o700, exist_ok=True)
        place = trash / f"{name}@{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            (self._root / name).rename(place)
        return place

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
            await asyncio.to_thread(_copy_into, volume.mountpoint, copied.mountpoint)
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
        place = self.get(name).mountpoint

        def packing(sink: Sink) -> None:
            folder = _open_folder(place)
            try:
                pack_tree(folder, b".", sink)
            finally:
                os.close(folder)

        return packing

    async def import_(self, name: str, chunks: Callable[[], bytes]) -> Volume:
        """A tar, compressed or not, as the data of a volume: a new one, or one that is empty.

        chunks: the next chunk, empty at the end; called in a thread.
        Raises Conflict where there is data already, InvalidArgument for a broken archive.
        """
        async with self._locks[name]:
            volume, is_new = self.found_or_created(name)
            if not await asyncio.to_thread(_is_empty, volume.mountpoint):
                raise Conflict(f"volume {name} has data already: import into another one")
            try:
                await asyncio.to_thread(_extract_all, volume.mountpoint, chunks)
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

    async def fill(self, plan: MountPlan, rootfs: str) -> None:
        """Give an empty volume what the image has at the mount's destination.

        rootfs: the container's mounted root. Nothing happens where the volume has anything in it,
        where the image has no directory there, or with ``nocopy``.
        """
        if not plan.fill or plan.kind != "volume":
            return
        async with self._locks[plan.name]:
            volume = self.get(plan.name)
            source = _image_folder(rootfs, plan.destination)
            if source is None:
                return
            try:
                if not _is_empty(volume.mountpoint):
                    return
                in_use = rows.mounts(self._db, volume.name) > 0
                await asyncio.to_thread(_fill, source, volume.mountpoint, in_place=in_use)
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
            await self._mount_options(volume)
            try:
                source = self._subpath(volume, plan, container)
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
            place = self._subpath_place(plan, container)
            if plan.subpath and place.exists():
                with suppress(OSError):
                    kernel.unmount(str(place), lazy=True)
                    _remove_place(place)
                    place.parent.rmdir()
            with self._db.transaction() as tx:
                rows.count_mount(tx, plan.name, container, -1)
                tx.emit(_event(plan.name, "unmount", driver=LOCAL, container=container))
            volume = rows.load(self._db, plan.name, self._place)
            if volume is not None:
                self._unmount_if_last(volume)

    async def _mount_options(self, volume: Volume) -> None:
        wanted = local_mount(volume.options)
        if wanted is None or kernel.is_mount_point(volume.mountpoint):
            return
        try:
            await asyncio.to_thread(_mount_local, wanted, volume.mountpoint)
        except OSError as error:
            raise KnarrError(
                f"error while mounting volume '{volume.mountpoint}': failed to mount local volume:"
                f" mount {wanted.shown}: {error.strerror}"
            ) from error

    def _unmount_if_last(self, volume: Volume) -> None:
        if local_mount(volume.options) is None or rows.mounts(self._db, volume.name):
            return
        try:
            if kernel.is_mount_point(volume.mountpoint):
                kernel.unmount(volume.mountpoint)
        except OSError as error:
            _log.warning("unmounting volume %s: %s", volume.name, error)
            with suppress(OSError):
                kernel.unmount(volume.mountpoint, lazy=True)

    def _subpath_place(self, plan: MountPlan, container: str) -> Path:
        digits = hashlib.sha256(plan.destination.encode()).hexdigest()[:16]
        return self._subpaths / container / digits

    def _subpath(self, volume: Volume, plan: MountPlan, container: str) -> str:
        """The data, or a part of it, bound where nobody in a container can exchange it."""
        if not plan.subpath:
            return volume.mountpoint
        place = self._subpath_place(plan, container)
        try:
            part = _open_beneath(volume.mountpoint, plan.subpath)
        except OSError as error:
            raise InvalidArgument(
                f"cannot access path {plan.subpath} in volume {volume.name}: {error.strerror}"
            ) from error
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if os.path.isdir(f"/proc/self/fd/{part}"):
                place.mkdir(exist_ok=True)
            else:
                place.touch()
            kernel.mount(f"/proc/self/fd/{part}", str(place), "", kernel.MS_BIND | kernel.MS_REC)
        except OSError as error:
            raise KnarrError(f"mounting {plan.subpath} of volume {volume.name}: {error}") from error
        finally:
            os.close(part)
        return str(place)

    # At the start of the daemon

    def restore(self, existing: Collection[str], running: Collection[str]) -> None:
        """Make what is recorded and what is there agree again after a crash or a reboot.

        existing, running: the IDs of all containers, and of those whose process lives.
        """
        self._root.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._empty_trash()
        with self._db.transaction() as tx:
            rows.settle(tx, existing, running)
        for volume in self.all():
            (self._root / volume.name / _DATA).mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.rmtree(self._root / volume.name / _FILLING, ignore_errors=True)
            self._unmount_if_last(volume)
        self._clear_subpaths(running)

    def _empty_trash(self) -> None:
        """A removal that was not committed did not happen; the others are finished."""
        trash = self._root / _TRASH
        if not trash.is_dir():
            return
        for place in trash.iterdir():
            home = self._root / place.name.rpartition("@")[0]
            recorded = rows.load(self._db, home.name, self._place) is not None
            if recorded and not home.exists():
                place.rename(home)
            else:
                shutil.rmtree(place, ignore_errors=True)

    def _clear_subpaths(self, running: Collection[str]) -> None:
        if not self._subpaths.is_dir():
            return
        for folder in self._subpaths.iterdir():
            if folder.name in running:
                continue
            for place in kernel.mounts_beneath(str(folder))[::-1]:
                with suppress(OSError):
                    kernel.unmount(place, lazy=True)
            shutil.rmtree(folder, ignore_errors=True)


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


def _remove_place(place: Path) -> None:
    """What something was mounted on: a directory or a file, empty."""
    if place.is_dir():
        place.rmdir()
    else:
        place.unlink()


def _open_folder(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is_empty(path: str) -> bool:
    with os.scandir(path) as entries:
        return next(entries, None) is None


def _extract_all(path: str, chunks: Callable[[], bytes]) -> None:
    folder = _open_folder(path)
    try:
        extract(plain_chunks(chunks), folder, "/", Manner())
    finally:
        os.close(folder)


def _size_of(path: str) -> int:
    folder = _open_folder(path)
    try:
        return size_bytes(folder)
    finally:
        os.close(folder)


def _open_beneath(path: str, subpath: str) -> int:
    root = _open_folder(path)
    try:
        return openat2(root, subpath, os.O_PATH)
    finally:
        os.close(root)


def _image_folder(rootfs: str, destination: str) -> int | None:
    """The image's directory at a destination, open; None where there is none."""
    root = _open_folder(rootfs)
    try:
        return open_directory(root, destination)
    except (FileNotFoundError, NotADirectoryError):
        return None
    finally:
        os.close(root)


def _copy_into(source: str, target: str) -> None:
    folder = _open_folder(source)
    try:
        _fill(folder, target)
    finally:
        os.close(folder)


def _fill(source: int, target: str, *, in_place: bool = False) -> None:
    """Copy the open directory into an empty one; all at once, in one rename, where that can be.

    in_place: somebody has the directory itself, which must not be exchanged for another then. A
    mount point cannot be. There, a copy that breaks off leaves what was copied until then.
    """
    if in_place or kernel.is_mount_point(target):
        _copy_to(source, target)
        return
    filling = os.path.join(os.path.dirname(target), _FILLING)
    shutil.rmtree(filling, ignore_errors=True)
    os.mkdir(filling, 0o700)
    try:
        _copy_to(source, filling)
        os.rename(filling, target)  # over an empty directory; one that was written to stays
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise


def _copy_to(source: int, path: str) -> None:
    folder = _open_folder(path)
    try:
        copy_tree(source, folder)
    finally:
        os.close(folder)


def _mount_local(wanted: LocalMount, target: str) -> None:
    """Mount what a volume's options ask for; a read-only bind takes a second step."""
    data = wanted.data
    if wanted.host:
        found = socket.getaddrinfo(wanted.host, None, type=socket.SOCK_STREAM)
        data = with_address(data, wanted.host, str(found[0][4][0]))
    kernel.mount(wanted.device, target, wanted.kind, wanted.flags, data)
    if wanted.flags & BIND and wanted.flags & READ_ONLY:
        kernel.mount("", target, "", wanted.flags | kernel.MS_REMOUNT)
