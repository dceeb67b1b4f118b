"""The act behind start and exit: root, mounts, network, process; undone when a later step fails."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from knarr.container import documents, limits
from knarr.container.apparmor import confined
from knarr.container.connections import network_requests
from knarr.container.facts import (
    HOST_ROOT,
    account_files,
    block_device_numbers,
    found_devices,
    host_devices,
    make_working_directory,
    source_facts,
)
from knarr.container.files import files_in, member_of, write_files
from knarr.container.links import Link, Linked, link_environment, linkers, opened
from knarr.container.logs.options import kept
from knarr.container.machine import Machine
from knarr.container.model import Container
from knarr.container.mounting import Mounter
from knarr.container.namespaces import joined_container
from knarr.container.plan import Surroundings, apparmor_profile, exec_process, runtime_spec
from knarr.container.processes import process_table
from knarr.container.registry import ContainerRegistry
from knarr.container.remap import Remap, remap_for
from knarr.container.runtime_mounts import NetworkFiles
from knarr.container.security import security_options
from knarr.errors import Conflict, NotFound
from knarr.ids import ContainerId
from knarr.image import ImageService
from knarr.kernel import mount
from knarr.kernel.owners import Owners, read_owners
from knarr.network import EndpointRequest, NetworkService, Plugged, port_requests, ports_shown
from knarr.runtime import ExecLaunch, Keeper, Launch, LogPlace, Running, Runtimes, Sandbox
from knarr.snapshot import ContainerLayers
from knarr.spec.docker.container import ContainerTop, EndpointSettings
from knarr.spec.docker.exec import ExecCreate
from knarr.spec.record import MountPlan
from knarr.units import size_bytes

_log = logging.getLogger("knarr.container")
_SHM_FLAGS: Final = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
_LOG_BYTES: Final = "10m"  # of one file, unless --log-opt max-size says otherwise
_LOG_FILES: Final = "5"


class Launcher:
    """Starts containers and execs, and clears away what a run leaves."""

    def __init__(
        self,
        *,
        registry: ContainerRegistry,
        images: ImageService,
        layers: ContainerLayers,
        networks: NetworkService,
        mounter: Mounter,
        keeper: Keeper,
        runtimes: Runtimes,
        machine: Machine,
        remap: Remap | None,
        tasks: asyncio.TaskGroup,
        data_root: Path,
        run_root: Path,
    ) -> None:
        self._registry = registry
        self._images = images
        self._layers = layers
        self._networks = networks
        self._mounter = mounter
        self._keeper = keeper
        self._runtimes = runtimes
        self._machine = machine
        self._remap = remap
        self._tasks = tasks
        self._data = data_root / "containers"
        self._run = run_root / "containers"

    def folder(self, container_id: ContainerId) -> Path:
        """Where the container's hosts, hostname, resolv.conf and log are."""
        return self._data / container_id

    def log_folder(self, container_id: ContainerId) -> Path:
        return self.folder(container_id) / "log"

    # Start

    async def launch(self, container: Container) -> Running:
        """Run the container's process. Raises StartFailed, or what stood in the way before it."""
        record = container.record
        remap = remap_for(record.host, self._remap)
        owner = remap.owners.root if remap is not None else None
        async with AsyncExitStack() as undo:
            rootfs = await self._mounted(container, remap)
            undo.callback(self._layers.unmount, container.id)
            if record.config.working_dir:
                make_working_directory(str(rootfs), record.config.working_dir, owner or HOST_ROOT)
            mounts = await self._mounter.ready(container, str(rootfs), undo, remap)
            namespace, plugged = await self._connected(container, undo, remap)
            around = self._surroundings(
                container,
                rootfs,
                mounts=mounts,
                files=self._files(container, plugged, owner),
                network_namespace=namespace,
                kernel_settings=plugged.kernel_settings,
                shm_source=self._shared_memory(container, undo, owner),
                link_environment=link_environment(container.name, self._linked(container)),
                owners=remap.owners if remap is not None else None,
                user_namespace=await self._user_namespace(container, remap),
            )
            spec = runtime_spec(record.config, record.host, around, self._machine).spec
            running = await self._keeper.start(
                Launch(
                    id=container.id,
                    spec=replace(spec, process=confined(spec.process)),
                    runtime=self._runtimes.named(record.host.runtime or ""),
                    open_stdin=record.config.open_stdin,
                    stdin_once=record.config.stdin_once,
                    log=self._log_place(container),
                    owner=owner,
                )
            )
            undo.pop_all()
        return running

    async def _mounted(self, container: Container, remap: Remap | None) -> Path:
        """The root filesystem; one with a disk takes longer, and is mounted off the loop."""
        host = container.record.host
        mounting = partial(
            self._layers.mount,
            container.id,
            volatile=host.auto_remove,
            id_map=remap.id_map if remap is not None else None,
        )
        return await asyncio.to_thread(mounting) if host.storage_opt else mounting()

    async def launch_exec(
        self, container: Container, exec_id: str, wanted: ExecCreate, size: Sequence[int]
    ) -> Running:
        """Run a further process in a running container."""
        record = container.record
        owners = read_owners(container.state.pid)  # whatever the daemon is told by now
        around = self._surroundings(container, self._layers.rootfs(container.id))
        sized = replace(wanted, console_size=tuple(size) or None)
        process = exec_process(sized, record.config, record.host, around, self._machine)
        return await self._keeper.exec(
            ExecLaunch(
                id=container.id,
                exec_id=exec_id,
                process=confined(process),
                runtime=self._runtimes.named(record.host.runtime or ""),
                open_stdin=wanted.attach_stdin,
                owner=owners.root if owners is not None else None,
            )
        )

    def _surroundings(
        self,
        container: Container,
        rootfs: Path,
        *,
        mounts: tuple[MountPlan, ...] = (),
        files: NetworkFiles = NetworkFiles(),  # noqa: B008
        network_namespace: str = "",
        kernel_settings: Mapping[str, str] | None = None,
        shm_source: str = "",
        link_environment: tuple[str, ...] = (),
        owners: Owners | None = None,
        user_namespace: str = "",
    ) -> Surroundings:
        """What the plan has to be told of this machine and this container's files."""
        record = container.record
        passwd, group = account_files(str(rootfs))
        return Surroundings(
            id=container.id,
            rootfs=str(rootfs),
            hostname=self._hostname(container),
            passwd=passwd,
            group=group,
            mounts=mounts,
            sources=source_facts(plan.source for plan in mounts if plan.source),
            files=files,
            network_namespace=network_namespace,
            kernel_settings=kernel_settings or {},
            joined_ipc=self._joined_namespace(record.host.ipc_mode, "ipc"),
            joined_pid=self._joined_namespace(record.host.pid_mode, "pid"),
            shm_source=shm_source,
            link_environment=link_environment,
            owners=owners,
            user_namespace=user_namespace,
            found_devices=found_devices(each.path_on_host for each in record.host.devices),
            host_devices=host_devices() if record.host.privileged else (),
            block_devices=block_device_numbers(limits.block_devices(record.host)),
        )

    def _log_place(self, container: Container) -> LogPlace | None:
        """Where its output is kept: always, but for the driver ``none``."""
        config = container.record.host.log_config
        if config is not None and config.type == "none":
            return None
        max_size, max_file = kept(config)
        return LogPlace(
            folder=self.log_folder(container.id),
            max_bytes=size_bytes(max_size or _LOG_BYTES),
            max_files=int(max_file or _LOG_FILES),
        )

    # Mounts

    def _shared_memory(
        self, container: Container, undo: AsyncExitStack, owner: tuple[int, int] | None
    ) -> str:
        """The folder of a /dev/shm that is shared with others; empty for one of its own."""
        host = container.record.host
        if host.ipc_mode == "host":
            return "/dev/shm"
        if (other := joined_container(host.ipc_mode)) is not None:
            lender = self._registry.find(other)
            if lender.record.host.ipc_mode != "shareable":
                raise Conflict(
                    f"cannot join IPC of container {other}: non-shareable IPC"
                    " (hint: use IpcMode:shareable for the donor container)"
                )
            return str(self._run / lender.id / "shm")
        if host.ipc_mode != "shareable":
            return ""
        folder = self._run / container.id / "shm"
        folder.mkdir(parents=True, exist_ok=True)
        uid, gid = owner or HOST_ROOT
        options = f"mode=1777,size={host.shm_size},uid={uid},gid={gid}"
        mount.mount("shm", str(folder), "tmpfs", _SHM_FLAGS, options)
        undo.callback(self._unmount_shared_memory, container)
        return str(folder)

    def _unmount_shared_memory(self, container: Container) -> None:
        if container.record.host.ipc_mode == "shareable":
            with suppress(OSError):
                mount.unmount(str(self._run / container.id / "shm"), lazy=True)

    # Network

    async def _user_namespace(self, container: Container, remap: Remap | None) -> str:
        """The path of the one to join; empty for the host's own.

        With others' namespaces their owner is joined too: a keeper of before may have made it.
        """
        if remap is None:
            return ""
        host = container.record.host
        for mode in (host.network_mode, host.pid_mode, host.ipc_mode):
            if (other := joined_container(mode)) is not None:
                pid = self._running(other).state.pid
                if read_owners(pid) == remap.owners:
                    return f"/proc/{pid}/ns/user"
        return await self._keeper.user_namespace_path(remap.owners)

    async def _connected(
        self, container: Container, undo: AsyncExitStack, remap: Remap | None
    ) -> tuple[str, Plugged]:
        """The network namespace to join (empty: the host's), and what was plugged into it."""
        host = container.record.host
        if (other := joined_container(host.network_mode)) is not None:
            lender = self._running(other)
            return f"/proc/{lender.state.pid}/ns/net", Plugged()
        sandbox: Sandbox | None = None
        if host.network_mode != "host":
            sandbox = await self._keeper.make_sandbox(
                container.id, remap.owners if remap is not None else None
            )
            undo.push_async_callback(self._keeper.remove_sandbox, container.id)
            undo.callback(sandbox.netlink.close)
        requests = network_requests(container)
        ports = port_requests(container.record.config, host)
        plugged = await self._networks.plug(member_of(container), sandbox, requests, ports)
        undo.push_async_callback(self._networks.unplug, container.id)
        if linked := self._linked(container):
            await self._networks.link(container.id, opened(container, linked))
        if sandbox is not None:
            sandbox.netlink.close()
        return (sandbox.path if sandbox else ""), plugged

    def _running(self, ref: str) -> Container:
        """Another container whose namespace is joined. Raises Conflict when it does not run."""
        lender = self._registry.find(ref)
        if not lender.alive:
            raise Conflict(f"cannot join network of a non running container: {lender.id}")
        return lender

    def _joined_namespace(self, mode: str, kind: str) -> str:
        if (other := joined_container(mode)) is None:
            return ""
        return f"/proc/{self._running(other).state.pid}/ns/{kind}"

    def _hostname(self, container: Container) -> str:
        other = joined_container(container.record.host.network_mode)
        if other is None:
            return container.record.config.hostname
        return self._registry.find(other).record.config.hostname

    def _files(
        self, container: Container, plugged: Plugged, owner: tuple[int, int] | None = None
    ) -> NetworkFiles:
        other = joined_container(container.record.host.network_mode)
        if other is not None:
            return files_in(self.folder(self._registry.find(other).id))
        gateways = self._networks.host_gateways(container.id)
        return write_files(
            self.folder(container.id),
            member_of(container),
            container.record.host,
            plugged,
            gateways,
            self._linked(container),
            owner,
        )

    def _linked(self, container: Container) -> list[Linked]:
        """Its legacy links. Raises Conflict when a linked container does not run."""
        return [
            self._linked_to(container, Link.parse(text)) for text in container.record.host.links
        ]

    def _linked_to(self, container: Container, link: Link) -> Linked:
        other = self._registry.find(link.target)
        if not other.alive:
            raise Conflict(
                "Cannot link to a non running container:"
                f" /{other.name} AS /{container.name}/{link.alias}"
            )
        networks = self._networks.plugged(other.id).networks
        address = networks["bridge"].ip_address if "bridge" in networks else ""
        return Linked(alias=link.alias, container=other, address=address)

    def tell_linkers(self, started: Container) -> None:
        """Running containers with a legacy link to it find it at its new address."""
        for each in linkers(self._registry, started):
            with suppress(Conflict, NotFound):
                self._files(each, self._networks.plugged(each.id))

    async def connect(self, container: Container, network: str, settings: EndpointSettings) -> None:
        """Put a running container on one more network."""
        request = EndpointRequest(network=network, settings=settings)
        async with self._sandbox(container) as sandbox:
            await self._networks.connect(member_of(container), sandbox, request)
        self._files(container, self._networks.plugged(container.id))

    async def disconnect(self, container: Container, network: str) -> None:
        """Take a running container off a network."""
        async with self._sandbox(container) as sandbox:
            await self._networks.disconnect(member_of(container), sandbox, network)
        self._files(container, self._networks.plugged(container.id))

    @asynccontextmanager
    async def _sandbox(self, container: Container) -> AsyncIterator[Sandbox]:
        sandbox = await self._keeper.open_sandbox(container.id)
        with sandbox.netlink:
            yield sandbox

    # Exit

    async def unplug(self, container: Container) -> None:
        """Give back addresses and ports: first of all, since others may wait for them."""
        await self._networks.unplug(container.id)
        if container.record.host.network_mode != "host":
            await self._keeper.remove_sandbox(container.id)

    async def clear(self, container: Container) -> None:
        """What else a run leaves on this machine: mounts, and the keeper's memory of it."""
        self._unmount_shared_memory(container)
        await self._mounter.clear(container)
        host = container.record.host
        if host.auto_remove and not host.storage_opt:
            self._layers.unmount(container.id)
        else:
            await asyncio.to_thread(self._layers.unmount, container.id)
        await self._keeper.release(container.id)

    async def discard(self, container: Container, *, volumes: bool) -> None:
        """The container's files, and its hold on volumes; the anonymous ones too if asked."""
        self._discard_files(container.id)
        await self._mounter.release(container, volumes=volumes)

    def _discard_files(self, container_id: ContainerId) -> None:
        """What takes long, deleting what the container wrote, goes on in the background."""
        self._layers.remove(container_id)
        shutil.rmtree(self.folder(container_id), ignore_errors=True)
        self._tasks.create_task(asyncio.to_thread(self._layers.empty_trash))

    async def forget(self, container_id: str) -> None:
        """What a process leaves that no container stands for."""
        await self._networks.unplug(ContainerId(container_id))
        await self._keeper.remove_sandbox(container_id)
        with suppress(Conflict):
            await self._keeper.release(container_id)

    async def sweep(self, existing: Collection[str], running: Collection[str]) -> None:
        """At the daemon's start: take away what a crash left of containers half made or ended."""
        for folder in self._data.iterdir():
            if folder.name not in existing and not folder.name.startswith("."):
                _log.warning("removing what is left of container %s", folder.name)
                self._discard_files(ContainerId(folder.name))
        left = {entry.name for entry in self._run.iterdir()}
        left |= {entry.name for entry in (self._run.parent / "netns").iterdir()}
        for container_id in left - set(running):
            await self.forget(container_id)

    # Looking

    async def surroundings(self, container: Container, *, size: bool) -> documents.Surroundings:
        """What other rooms know of the container, for inspect and list."""
        record = container.record
        plugged = self._networks.plugged(container.id)
        networks = plugged.networks or requested_networks(container)
        sizes = None
        if size:
            written = await self.written_bytes(container)
            sizes = (written, written + self._image_bytes(container))
        return documents.Surroundings(
            networks=networks,
            ports=ports_shown(record.config, plugged.ports) if container.alive else {},
            sandbox_id=container.id if container.alive else "",
            sandbox_key=str(self._run.parent / "netns" / container.id) if container.alive else "",
            folder=str(self.folder(container.id)),
            log_path=str(self.log_folder(container.id)),
            driver="overlay2",
            apparmor_profile=apparmor_profile(
                record.host, self._machine, security_options(record.host.security_opt)
            ),
            driver_data=self._layers.graph(container.id),
            sizes=sizes,
        )

    async def written_bytes(self, container: Container) -> int:
        """What the container itself wrote, in bytes."""
        return await asyncio.to_thread(self._layers.size_bytes, container.id)

    def _image_bytes(self, container: Container) -> int:
        """Of the layers it stands on; 0 when its image is gone by force."""
        try:
            return self._images.resolve(container.image).size_bytes
        except NotFound:
            return 0

    async def processes(self, container: Container, ps_args: str) -> ContainerTop:
        """Its processes, as the host's ``ps`` shows them."""
        return await process_table(self._keeper.processes(container.id), ps_args)


def requested_networks(container: Container) -> dict[str, EndpointSettings]:
    """The networks that it will be on once it runs, by name."""
    return {each.network: each.settings for each in network_requests(container)}
