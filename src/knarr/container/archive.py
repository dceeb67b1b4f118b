"""Files in and out of a container, running or not: what ``docker cp`` asks for.

All of it is synchronous, for a thread; roots are directories that are open already (``open_root``),
so that a container that ends meanwhile takes nothing away.
"""

import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from knarr.container.facts import HOST_ROOT, make_working_directory
from knarr.container.paths import absolute, base_name, followed, path_stat
from knarr.content import plain_chunks
from knarr.errors import InvalidArgument, KnarrError, NotFound
from knarr.kernel import mount
from knarr.kernel.openat2 import open_directory, openat2
from knarr.kernel.owners import Owners
from knarr.snapshot.extract import Manner, extract
from knarr.snapshot.pack import Sink, pack_member, pack_tree
from knarr.spec.docker.container import HostConfig, PathStat
from knarr.spec.record import MountPlan

_DIRECTORY: Final = 1 << 31  # Go's bit for one

Pack = Callable[[Sink], None]
"""Hands a tar to a sink, piece by piece; synchronous, for a thread."""


def running_root(pid: int) -> str:
    """The root of a running container, as its process sees it: with all that is mounted in it."""
    return f"/proc/{pid}/root"


@contextmanager
def open_root(path: str) -> Iterator[int]:
    """A root for the length of a block. Raises KnarrError when its container has just ended."""
    try:
        root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KnarrError(f"opening the container's root: {error.strerror}") from error
    try:
        yield root
    finally:
        os.close(root)


@contextmanager
def with_mounts(
    rootfs: str, plans: Sequence[MountPlan], owner: tuple[int, int] = HOST_ROOT
) -> Iterator[str]:
    """The root of a container that does not run, its binds and volumes bound into it meanwhile.

    rootfs: where it is mounted. plans: located; missing sources and tmpfs are passed over.
    owner: of directories that have to be made.
    """
    with ExitStack() as undo:
        for plan in plans:
            if plan.kind != "tmpfs" and os.path.exists(plan.source):
                place = _bound(rootfs, plan, owner)
                undo.callback(mount.unmount, place, lazy=True)
        yield rootfs


def _bound(rootfs: str, plan: MountPlan, owner: tuple[int, int]) -> str:
    """Bind one source; where it is now, for the undoing: a path without links."""
    is_folder = os.path.isdir(plan.source)
    folder = plan.destination if is_folder else posixpath.dirname(plan.destination)
    make_working_directory(rootfs, folder, owner)
    with open_root(rootfs) as root:
        if not is_folder:
            _touch(root, plan.destination, owner)
        target = openat2(root, plan.destination, os.O_PATH)
        try:
            place = os.readlink(f"/proc/self/fd/{target}")
            flags = mount.MS_BIND | (mount.MS_REC if plan.recursive else 0)
            mount.mount(plan.source, f"/proc/self/fd/{target}", "", flags)
        finally:
            os.close(target)
    return place


def _touch(root: int, path: str, owner: tuple[int, int]) -> None:
    """An empty file to mount upon, unless something is there."""
    parent = open_directory(root, posixpath.dirname(path))
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(posixpath.basename(path), flags, 0o644, dir_fd=parent)
        if owner != HOST_ROOT:
            os.fchown(file, *owner)
        os.close(file)
    except OSError:
        return  # a link: what it leads to is mounted upon
    finally:
        os.close(parent)


def look(root: int, path: str, container: str) -> PathStat:
    """What is at a path of the container. Raises NotFound in Docker's words."""
    with _said(path, container):
        return path_stat(root, absolute(path))


def read(
    root: int, path: str, container: str, owners: Owners | None = None
) -> tuple[PathStat, Pack]:
    """What is at a path, and what packs it: a tar whose first part is the path's last.

    ``root`` has to stay open until it is packed. owners: whose numbers its files have, None for
    the host's. Raises NotFound in Docker's words.
    """
    place = absolute(path)
    with _said(path, container):
        found = path_stat(root, place)
    if found.mode & _DIRECTORY:
        return found, partial(_pack_folder, root, place, owners)
    return found, partial(_pack_entry, root, place, owners)


def _pack_folder(root: int, place: str, owners: Owners | None, sink: Sink) -> None:
    folder = open_directory(root, place)
    try:
        pack_tree(folder, os.fsencode(base_name(place)), sink, owners)
    finally:
        os.close(folder)


def _pack_entry(root: int, place: str, owners: Owners | None, sink: Sink) -> None:
    parent = open_directory(root, posixpath.dirname(place))
    try:
        name = os.fsencode(posixpath.basename(place))
        pack_member(parent, name, name, sink, owners)
    finally:
        os.close(parent)


def write(
    root: int, path: str, container: str, chunks: Callable[[], bytes], manner: Manner
) -> None:
    """Extract a tar, compressed or not, into a directory of the container.

    chunks: the next chunk, empty at the end.
    Raises NotFound and InvalidArgument in Docker's words, Unavailable when the disk is full.
    """
    with _said(path, container):
        facts = _facts(root, absolute(path))
    if not stat.S_ISDIR(facts.st_mode):
        raise InvalidArgument("extraction point is not a directory")
    extract(plain_chunks(chunks), root, absolute(path), manner)


def _facts(root: int, place: str) -> os.stat_result:
    found = openat2(root, place, os.O_PATH)
    try:
        return os.fstat(found)
    finally:
        os.close(found)


def check_writable(root: int, path: str, plans: Sequence[MountPlan], host: HostConfig) -> None:
    """Refuse, in Docker's words, what a process in the container could not write either."""
    place = followed(root, absolute(path))
    for plan in sorted(plans, key=lambda each: -len(each.destination)):
        if place == plan.destination or place.startswith(plan.destination.rstrip("/") + "/"):
            if plan.read_only:
                raise InvalidArgument("mounted volume is marked read-only")
            return
    if host.readonly_rootfs:
        raise InvalidArgument("container rootfs is marked read-only")


@contextmanager
def _said(path: str, container: str) -> Iterator[None]:
    """What openat2 says of a path, in Docker's words."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"Could not find the file {path} in container {container}") from error
    except OSError as error:
        raise InvalidArgument(f"{path}: {error.strerror}") from error
