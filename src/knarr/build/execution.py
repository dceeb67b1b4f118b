"""RUN carried out: a writable layer, what is mounted into it, a process, and the layer that it
leaves.

<run root>/builds/<id>/            of one step: secrets, and mount points of stages
"""

import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from knarr.build.cachemounts import CacheMounts
from knarr.build.model import Layered
from knarr.build.ops import (
    BindMount,
    CacheMount,
    Execute,
    Mount,
    SecretMount,
    SshMount,
    TmpfsMount,
)
from knarr.build.runner import BoundPath, Ended, MemoryPath, Output, Process, Runner
from knarr.build.session import Session, StepFailed
from knarr.build.tree import FolderTree, resolve
from knarr.errors import Forbidden, NotFound
from knarr.ids import DiffId, new_container_id, new_hex
from knarr.kernel.mount import mounts_beneath, unmount
from knarr.snapshot import ContainerLayers, Layer, Layers
from knarr.snapshot.overlay import Writable, mount_overlay, view
from knarr.snapshot.packing import Times, pack

_SECOND_NS: Final = 1_000_000_000
_HOSTNAME: Final = "buildkitsandbox"  # what builds have come to expect
Mounted = BoundPath | MemoryPath


class Executor:
    """Runs the steps of all builds."""

    def __init__(
        self,
        layers: Layers,
        containers: ContainerLayers,
        runner: Runner,
        cache_mounts: CacheMounts,
        run_root: Path,
        scratch: Path,
    ) -> None:
        self._layers = layers
        self._containers = containers
        self._runner = runner
        self._cache_mounts = cache_mounts
        self._run = run_root / "builds"
        _sweep(self._run)
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._scratch = scratch

    async def execute(
        self,
        op: Execute,
        base: Layered,
        inputs: Sequence[Layered],
        session: Session,
        output: Output,
    ) -> tuple[Layer | None, int]:
        """The layer that the command makes (pinned; None if it changed nothing), and its time.

        inputs: behind the base, as layers. Raises StepFailed when the command does.
        """
        _check_allowed(op, session)
        id_map = self._runner.id_map(op.network, insecure=op.insecure)
        made_ns = max(each.time_ns for each in (base, *inputs))
        identity = new_container_id()
        self._containers.prepare(identity, base.diff_ids)
        try:
            async with AsyncExitStack() as undo:
                place = self._run / identity
                place.mkdir(mode=0o700)
                undo.callback(shutil.rmtree, place, ignore_errors=True)
                mounts, variables = await self._mounts(op, inputs, session, place, undo, id_map)
                rootfs = self._containers.mount(identity, volatile=True, id_map=id_map)
                undo.callback(self._containers.unmount, identity)
                stubs = _missing(rootfs, [mount.target for mount in mounts])
                started_ns = time.time_ns() // _SECOND_NS * _SECOND_NS
                process = Process(
                    id=new_hex(),
                    rootfs=rootfs,
                    argv=op.argv,
                    env=_environment(op, session, variables),
                    cwd=op.cwd,
                    user=op.user,
                    mounts=mounts,
                    network=op.network,
                    hostname=op.hostname or _HOSTNAME,
                    hosts=session.hosts,
                    insecure=op.insecure,
                    resources=session.resources,
                )
                ended = await self._ended(process, session, output)
                _check_end(op, ended)
            times = Times(
                since_ns=started_ns,
                made_ns=made_ns if session.epoch_ns is None else session.epoch_ns,
                latest_ns=session.epoch_ns,
            )
            upper = self._containers.upper(identity)
            layer = await asyncio.to_thread(self._packed, upper, base.diff_ids, times, stubs)
        finally:
            self._containers.remove(identity)
            sweeping = asyncio.ensure_future(asyncio.to_thread(self._containers.empty_trash))
            sweeping.add_done_callback(lambda done: done.cancelled() or done.exception())
        return layer, made_ns

    async def _ended(self, process: Process, session: Session, output: Output) -> Ended:
        limit = asyncio.timeout(session.timeout_s)
        try:
            async with limit:
                return await self._runner.run(process, output)
        except TimeoutError as error:
            if not limit.expired():
                raise
            command = " ".join(process.argv)
            raise StepFailed(
                f"The command '{command}' was stopped: it took longer than "
                f"{session.timeout_s:g} seconds",
                124,
            ) from error

    def _packed(
        self, upper: Path, diff_ids: Sequence[DiffId], times: Times, stubs: frozenset[bytes]
    ) -> Layer | None:
        with self._layers.writer() as writer:
            folder = os.open(upper, os.O_RDONLY | os.O_DIRECTORY)
            try:
                with view(self._layers.lowers(diff_ids), self._scratch) as image:
                    count = pack(folder, image, writer.write, times=times, stubs=stubs)
            finally:
                os.close(folder)
            return writer.commit() if count else None

    # Mounts

    async def _mounts(
        self,
        op: Execute,
        inputs: Sequence[Layered],
        session: Session,
        place: Path,
        undo: AsyncExitStack,
        id_map: int | None,
    ) -> tuple[tuple[Mounted, ...], dict[str, str]]:
        """What goes into the root, and the variables that secrets give."""
        mounts: list[Mounted] = []
        variables: dict[str, str] = {}
        for number, mount in sorted(enumerate(op.mounts), key=_locks_in_order):
            own = place / str(number)
            match mount:
                case BindMount():
                    mounts.append(self._bound(mount, inputs, own, undo, id_map))
                case CacheMount():
                    mounts.append(await self._cached(mount, inputs, undo))
                case TmpfsMount():
                    mounts.append(MemoryPath(target=mount.target, size_bytes=mount.size_bytes))
                case SecretMount():
                    mounts.extend(_secret(mount, session, own, variables))
                case SshMount():
                    mounts.extend(_agent(mount, session))
        mounts.sort(key=lambda each: each.target)  # what is mounted inside of another comes later
        return tuple(mounts), variables

    def _bound(
        self,
        mount: BindMount,
        inputs: Sequence[Layered],
        own: Path,
        undo: AsyncExitStack,
        id_map: int | None,
    ) -> BoundPath:
        diff_ids = inputs[mount.input - 1].diff_ids
        root = self._mounted(diff_ids, own, undo, writable=not mount.read_only, id_map=id_map)
        source = _within(root, mount.source)
        return BoundPath(source=source, target=mount.target, read_only=mount.read_only, mapped=True)

    def _mounted(
        self,
        diff_ids: Sequence[DiffId],
        own: Path,
        undo: AsyncExitStack,
        *,
        writable: bool,
        id_map: int | None,
    ) -> Path:
        """A directory with the files of these layers."""
        lowers = self._layers.lowers(diff_ids)
        for name in ("root", "upper", "work"):
            (own / name).mkdir(mode=0o755, parents=True)
        if not lowers:
            return own / "root"
        # What a step writes there is thrown away, but it may be much: on disk, not in memory.
        kept = self._scratch / f"bind-{new_hex()}"
        for name in ("upper", "work"):
            (kept / name).mkdir(mode=0o755, parents=True)
        undo.callback(shutil.rmtree, kept, ignore_errors=True)
        written = Writable(upper=kept / "upper", work=kept / "work", volatile=True)
        mount_overlay(own / "root", lowers, written if writable else None, id_map=id_map)
        undo.callback(unmount, os.fspath(own / "root"), lazy=True)
        return own / "root"

    async def _cached(
        self, mount: CacheMount, inputs: Sequence[Layered], undo: AsyncExitStack
    ) -> BoundPath:
        origin, seed = "", None
        if mount.input:
            diff_ids = inputs[mount.input - 1].diff_ids
            origin = f"{' '.join(diff_ids)} {mount.source}"

            def seed(folder: Path) -> None:
                self._copy_into(folder, diff_ids, mount.source)

        held = self._cache_mounts.held(mount, origin, seed)
        path = await undo.enter_async_context(held)
        return BoundPath(source=path, target=mount.target, read_only=mount.read_only)

    def _copy_into(self, folder: Path, diff_ids: Sequence[DiffId], source: str) -> None:
        """What a new cache begins with."""
        with view(self._layers.lowers(diff_ids), self._scratch) as root:
            tree = FolderTree(root)
            try:
                entry = resolve(tree, source)
                if entry is None or not entry.is_directory:
                    raise NotFound(f"cache mount: {source} is no directory")
                inside = Path(f"/proc/self/fd/{root}") / entry.path
                shutil.copytree(inside, folder, symlinks=True, dirs_exist_ok=True)
            finally:
                tree.close()


def _locks_in_order(numbered: tuple[int, Mount]) -> tuple[str, int]:
    """Two steps that lock the same two caches must lock them in one order."""
    number, mount = numbered
    return (mount.id if isinstance(mount, CacheMount) else "", number)


def _sweep(folder: Path) -> None:
    """Remove what the steps of a killed daemon had mounted, then their folders.

    What is still mounted after that keeps its folder: behind it lie other people's files.
    """
    for point in reversed(mounts_beneath(str(folder))):
        with suppress(OSError):
            unmount(point, lazy=True)
    if not mounts_beneath(str(folder)):
        shutil.rmtree(folder, ignore_errors=True)


def _check_allowed(op: Execute, session: Session) -> None:
    for right in op.rights:
        if right not in session.allowed:
            raise Forbidden(f"{right} is not allowed: grant it with --allow {right}")


def _environment(op: Execute, session: Session, variables: dict[str, str]) -> tuple[str, ...]:
    named = {pair.partition("=")[0] for pair in op.env}
    proxies = [f"{name}={value}" for name, value in session.proxies.items() if name not in named]
    return (*op.env, *proxies, *(f"{name}={value}" for name, value in variables.items()))


def _check_end(op: Execute, ended: Ended) -> None:
    if not ended.code:
        return
    why = " (the kernel killed it: out of memory)" if ended.oom_killed else ""
    command = " ".join(op.argv)
    raise StepFailed(f"The command '{command}' returned a non-zero code: {ended.code}{why}",
                     ended.code)  # fmt: skip


def _secret(
    mount: SecretMount, session: Session, own: Path, variables: dict[str, str]
) -> list[BoundPath]:
    value = session.secrets.get(mount.id)
    if value is None:
        if mount.required:
            raise NotFound(f"secret {mount.id}: not found")
        return []
    if mount.env:
        variables[mount.env] = value.decode(errors="surrogateescape")
    if not mount.target:
        return []
    fd = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, value)
        os.fchown(fd, mount.uid, mount.gid)
        os.fchmod(fd, mount.mode)
    finally:
        os.close(fd)
    return [BoundPath(source=own, target=mount.target)]


def _agent(mount: SshMount, session: Session) -> list[BoundPath]:
    socket = session.agents.get(mount.id)
    if socket is None:
        if mount.required:
            raise NotFound(f"unset ssh forward key {mount.id}")
        return []
    return [BoundPath(source=socket, target=mount.target, read_only=False)]


def _within(root: Path, source: str) -> Path:
    """A path inside a directory, links followed inside of it."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    tree = FolderTree(folder)
    try:
        entry = resolve(tree, source)
    finally:
        tree.close()
        os.close(folder)
    if entry is None:
        raise NotFound(f"mount source {source}: not found")
    return root / entry.path


def _missing(rootfs: Path, targets: Sequence[str]) -> frozenset[bytes]:
    """Paths that will have to be made to mount something on."""
    folder = os.open(rootfs, os.O_RDONLY | os.O_DIRECTORY)
    tree = FolderTree(folder)
    missing: set[bytes] = set()
    try:
        for target in targets:
            parts, below = target.strip("/").split("/"), list[str]()
            while parts and (there := resolve(tree, "/".join(parts))) is None:
                below.insert(0, parts.pop())
            here = there.path if parts and there else ""
            for part in below:
                here = f"{here}/{part}" if here else part
                missing.add(os.fsencode(here))
    finally:
        tree.close()
        os.close(folder)
    return frozenset(missing)
