"""Files in and out of containers, as services: ``cp``, ``export``, ``diff``."""

import asyncio
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

from knarr.container import archive
from knarr.container.facts import HOST_ROOT, account_files
from knarr.container.files import files_in
from knarr.container.model import Container
from knarr.container.mounting import Mounter
from knarr.container.registry import ContainerRegistry
from knarr.container.remap import Remap, remap_for
from knarr.container.users import identity
from knarr.errors import Conflict
from knarr.http.outflow import outflow
from knarr.ids import ContainerId
from knarr.kernel.owners import Owners, read_owners
from knarr.snapshot import ContainerLayers
from knarr.snapshot.extract import Manner
from knarr.snapshot.pack import Sink, pack
from knarr.spec.docker.container import FilesystemChange, PathStat
from knarr.spec.record import MountPlan

_KINDS: Final = {"C": 0, "A": 1, "D": 2}  # as the Engine API numbers changes


class Stream:
    """A body that is made as it is sent, and what has to stay open until then.

    A class, not a generator: one that is never asked for its first piece must be closed too.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], stack: AsyncExitStack) -> None:
        self._pieces = pieces
        self._stack = stack

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        await self._pieces.aclose()
        await self._stack.aclose()


class Copier:
    """The root of a container, running or not, read and written from outside."""

    def __init__(
        self,
        *,
        registry: ContainerRegistry,
        layers: ContainerLayers,
        mounter: Mounter,
        remap: Remap | None,
        folder: Callable[[ContainerId], Path],
        tell: Callable[[str, str], None],
    ) -> None:
        """folder: where a container's hosts, hostname and resolv.conf are.

        tell: makes an event of a container's ID and an action.
        """
        self._registry = registry
        self._layers = layers
        self._mounter = mounter
        self._remap = remap
        self._folder = folder
        self._tell = tell

    async def look(self, ref: str, path: str) -> PathStat:
        """What is at a path. Raises NotFound in Docker's words."""
        container = self._registry.find(ref)
        async with self._root(container) as root:
            return await asyncio.to_thread(archive.look, root, path, ref)

    async def read(self, ref: str, path: str) -> tuple[PathStat, Stream]:
        """What is at a path, and a tar of it."""
        container = self._registry.find(ref)
        async with AsyncExitStack() as stack:
            root = await stack.enter_async_context(self._root(container))
            found, packing = await asyncio.to_thread(
                archive.read, root, path, ref, self._owners(container)
            )
            self._tell(container.id, "archive-path")
            return found, Stream(outflow(packing), stack.pop_all())

    async def write(
        self,
        ref: str,
        path: str,
        chunks: Callable[[], bytes],
        *,
        as_user: bool = False,
        keep_kinds: bool = False,
    ) -> None:
        """Extract a tar into a directory of the container.

        chunks: the next chunk, empty at the end; called in a thread.
        as_user: everything shall belong to the container's user. keep_kinds: no directory in the
        place of a file, nor the other way round.
        """
        container = self._registry.find(ref)
        record = container.record
        async with self._root(container) as root:
            archive.check_writable(root, path, record.mounts, record.host)
            owner = _owner(root, record.config.user) if as_user else None
            manner = Manner(owner=owner, keep_kinds=keep_kinds, owners=self._owners(container))
            await asyncio.to_thread(archive.write, root, path, ref, chunks, manner)
        self._tell(container.id, "extract-to-dir")

    async def export(self, ref: str) -> Stream:
        """The root file system as a tar, without what is mounted in it."""
        container = self._registry.find(ref)
        async with AsyncExitStack() as stack:
            rootfs = stack.enter_context(self._mounted(container))
            root = os.open(rootfs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, root)
            self._tell(container.id, "export")
            return Stream(
                outflow(partial(_pack_root, root, self._owners(container))), stack.pop_all()
            )

    async def changes(self, ref: str) -> Sequence[FilesystemChange]:
        """What the container changed of its image's files, by path."""
        container = self._registry.find(ref)
        found = await asyncio.to_thread(self._layers.changes, container.id)
        return tuple(FilesystemChange(path=each.path, kind=_KINDS[each.kind]) for each in found)

    @asynccontextmanager
    async def _root(self, container: Container) -> AsyncIterator[int]:
        """The container's root, open: with all that its process sees, or would see."""
        if container.alive:
            with archive.open_root(archive.running_root(container.state.pid)) as root:
                self._check_identity(container, root)
                yield root
            return
        async with AsyncExitStack() as stack:
            rootfs = str(stack.enter_context(self._mounted(container)))
            remap = remap_for(container.record.host, self._remap)
            plans = await self._mounter.ready(container, rootfs, stack, remap)
            owner = remap.owners.root if remap is not None else HOST_ROOT
            files = files_in(self._folder(container.id)).by_destination()
            stack.enter_context(archive.with_mounts(rootfs, (*_binds(files), *plans), owner))
            yield stack.enter_context(archive.open_root(rootfs))

    def _mounted(self, container: Container) -> AbstractContextManager[Path]:
        """Its root, with owners as a process in it has them: it may be started meanwhile."""
        remap = remap_for(container.record.host, self._remap)
        id_map = remap.id_map if remap is not None else None
        return self._layers.mounted(container.id, id_map=id_map)

    def _owners(self, container: Container) -> Owners | None:
        """Whose numbers its files have; of one that runs as it is, whatever the daemon is told."""
        if container.alive:
            return read_owners(container.state.pid)
        remap = remap_for(container.record.host, self._remap)
        return remap.owners if remap is not None else None

    def _check_identity(self, container: Container, root: int) -> None:
        """That the process is still this container's: its number may be another's by now."""
        found, own = os.fstat(root), os.stat(self._layers.rootfs(container.id))
        if (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino):
            raise Conflict(f"container {container.id} has just ended: try again")


def _pack_root(root: int, owners: Owners | None, sink: Sink) -> None:
    pack(root, sink, owners=owners)


def _binds(files: Mapping[str, str]) -> Iterator[MountPlan]:
    """The engine's own files, for a container that was plugged in; others come over them."""
    for destination, source in files.items():
        yield MountPlan(kind="bind", destination=destination, source=source, recursive=False)


def _owner(root: int, user: str) -> tuple[int, int] | None:
    """The container's user by number; None for root, whose files keep their owners."""
    if not user:
        return None
    passwd, group = account_files(f"/proc/self/fd/{root}")
    who = identity(user, passwd=passwd, group=group)
    return who.uid, who.gid
