"""Build steps: one process in one root, by the runtime and the networks that containers use.

Implements what the build room asks for in its ``runner.py``.
"""

import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from msgspec.structs import replace

from knarr.build.runner import BoundPath, Ended, MemoryPath, Output, Process
from knarr.container.apparmor import confined
from knarr.container.facts import (
    HOST_ROOT,
    account_files,
    make_working_directory,
    source_facts,
)
from knarr.container.files import write_files
from knarr.container.machine import Machine
from knarr.container.mapped import MappedMounts
from knarr.container.mounts import located
from knarr.container.plan import Surroundings, runtime_spec
from knarr.container.remap import Remap, remap_for
from knarr.container.runtime_mounts import NetworkFiles
from knarr.container.settings import Defaults, completed
from knarr.errors import Conflict
from knarr.http.frames import Demultiplexer
from knarr.ids import ContainerId
from knarr.network import EndpointRequest, Member, NetworkService, Plugged
from knarr.runtime import Exit, Keeper, Launch, Runtimes
from knarr.spec.docker.container import ContainerConfig, HostConfig, Ulimit
from knarr.spec.record import MountPlan

_PIECE = 65536


class StepRunner:
    """Runs the processes of builds; each is gone without a trace when ``run`` returns."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        runtimes: Runtimes,
        networks: NetworkService,
        machine: Machine,
        remap: Remap | None,
        run_root: Path,
    ) -> None:
        self._keeper = keeper
        self._runtimes = runtimes
        self._networks = networks
        self._machine = machine
        self._remap = remap
        self._run_root = run_root
        self._mapped = MappedMounts(run_root)
        self._running: dict[str, asyncio.Future[Exit]] = {}

    def exited(self, exit_: Exit) -> bool:
        """What the keeper tells; whether it was about a step."""
        if (waiting := self._running.get(exit_.id)) is None:
            return False
        if not waiting.done():
            waiting.set_result(exit_)
        return True

    def id_map(self, network: str, *, insecure: bool) -> int | None:
        wanted = HostConfig(network_mode=network, privileged=insecure)
        remap = remap_for(wanted, self._remap)
        return remap.id_map if remap is not None else None

    async def run(self, process: Process, output: Output) -> Ended:
        """Raises StartFailed, in Docker's words, when the process does not come to run."""
        ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as undo:
            self._running[process.id] = ended
            undo.callback(self._running.pop, process.id)
            undo.push_async_callback(self._forget, process.id)
            remap = remap_for(_host(process), self._remap)
            namespace, files = await self._connected(process, undo, remap)
            users = await self._keeper.user_namespace_path(remap.owners) if remap else ""
            undo.callback(self._mapped.clear, ContainerId(process.id))
            launch = self._launch(process, namespace, files, remap, users)
            channel = await self._keeper.attach(process.id, patience_s=None)
            undo.callback(channel.close)
            await self._keeper.start(launch)
            try:
                await _pump(channel, output)
                exit_ = await ended
            except asyncio.CancelledError:
                await self._kill(process.id, ended)
                raise
        return Ended(code=exit_.code, oom_killed=exit_.oom_killed)

    async def _kill(self, process_id: str, ended: "asyncio.Future[Exit]") -> None:
        with suppress(Conflict):
            await self._keeper.signal(process_id, 9)
            await asyncio.wait({ended}, timeout=10)

    async def _forget(self, process_id: str) -> None:
        with suppress(Conflict):
            await self._keeper.release(process_id)

    async def _connected(
        self, process: Process, undo: AsyncExitStack, remap: Remap | None
    ) -> tuple[str, NetworkFiles]:
        """Its network namespace (empty: the host's), and the text files that go with it."""
        mode = _network_mode(process)
        folder = self._run_root / "containers" / process.id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        member = Member(
            id=ContainerId(process.id), name=f"build-{process.id[:12]}", hostname=process.hostname
        )
        namespace, plugged = "", Plugged()
        if mode != "host":
            sandbox = await self._keeper.make_sandbox(
                process.id, remap.owners if remap is not None else None
            )
            undo.push_async_callback(self._keeper.remove_sandbox, process.id)
            with sandbox.netlink:
                request = EndpointRequest(network=mode)
                plugged = await self._networks.plug(member, sandbox, (request,))
            undo.push_async_callback(self._networks.unplug, member.id)
            namespace = sandbox.path
        host = HostConfig(
            network_mode=mode,
            extra_hosts=tuple(f"{name}:{address}" for name, address in process.hosts.items()),
        )
        gateways = self._networks.host_gateways(member.id)
        owner = remap.owners.root if remap is not None else None
        return namespace, write_files(folder, member, host, plugged, gateways, owner=owner)

    def _launch(
        self,
        process: Process,
        namespace: str,
        files: NetworkFiles,
        remap: Remap | None,
        user_namespace: str,
    ) -> Launch:
        owners = remap.owners if remap is not None else None
        config = ContainerConfig(
            user=process.user,
            env=process.env,
            working_dir=process.cwd,
            cmd=process.argv,
            hostname=process.hostname,
        )
        host = completed(_host(process), self._machine, Defaults())
        rootfs = str(process.rootfs)
        make_working_directory(rootfs, process.cwd, owners.root if owners else HOST_ROOT)
        passwd, group = account_files(rootfs)
        mounts = tuple(self._mount(process, each, remap) for each in process.mounts)
        around = Surroundings(
            id=process.id,
            rootfs=rootfs,
            hostname=process.hostname,
            passwd=passwd,
            group=group,
            mounts=mounts,
            files=files,
            network_namespace=namespace,
            sources=source_facts(plan.source for plan in mounts if plan.source),
            owners=owners,
            user_namespace=user_namespace,
        )
        spec = runtime_spec(config, host, around, self._machine).spec
        return Launch(
            id=process.id,
            spec=replace(spec, process=confined(spec.process)),
            runtime=self._runtimes.default,
            owner=owners.root if owners else None,
        )

    def _mount(
        self, process: Process, wanted: BoundPath | MemoryPath, remap: Remap | None
    ) -> MountPlan:
        plan = _mount(wanted)
        if remap is None or not isinstance(wanted, BoundPath) or wanted.mapped:
            return plan
        return located(plan, self._mapped.mount(ContainerId(process.id), plan, remap.id_map))


def _network_mode(process: Process) -> str:
    return "bridge" if process.network in ("", "default") else process.network


def _host(process: Process) -> HostConfig:
    wanted = process.resources
    return HostConfig(
        network_mode=_network_mode(process),
        privileged=process.insecure,
        memory=wanted.memory_bytes,
        memory_swap=wanted.memory_swap_bytes,
        cpu_shares=wanted.cpu_shares,
        cpu_period=wanted.cpu_period_us,
        cpu_quota=wanted.cpu_quota_us,
        cpuset_cpus=wanted.cpuset_cpus,
        cpuset_mems=wanted.cpuset_mems,
        shm_size=wanted.shm_bytes,
        ulimits=tuple(Ulimit(name=n, soft=soft, hard=hard) for n, soft, hard in wanted.ulimits),
        cgroup_parent=wanted.cgroup_parent,
    )


def _mount(wanted: BoundPath | MemoryPath) -> MountPlan:
    if isinstance(wanted, BoundPath):
        return MountPlan(
            kind="bind",
            destination=wanted.target,
            source=str(wanted.source),
            read_only=wanted.read_only,
        )
    options = f"size={wanted.size_bytes}" if wanted.size_bytes else ""
    return MountPlan(kind="tmpfs", destination=wanted.target, options=options)


async def _pump(channel: socket.socket, output: Output) -> None:
    """Hand on what the process writes, until it has ended and all of it is read."""
    loop, frames = asyncio.get_running_loop(), Demultiplexer()
    while data := await loop.sock_recv(channel, _PIECE):
        for stream, payload in frames.feed(data):
            output(stream, payload)
