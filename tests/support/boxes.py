"""Containers without an image: busybox in a folder, and specs as small as they can be."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from knarr.errors import Conflict, NotFound
from knarr.keeper.attach import HEADER
from knarr.runtime import (
    ExecLaunch,
    Exit,
    Keeper,
    Launch,
    LogPlace,
    LogQuery,
    LogReader,
    OciRuntime,
    Running,
)
from knarr.spec.oci.runtime import (
    OCI_VERSION,
    Box,
    Capabilities,
    DeviceRule,
    Linux,
    Mount,
    Namespace,
    NamespaceType,
    Process,
    Resources,
    Root,
    Spec,
    User,
)

CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD", "CAP_SETGID", "CAP_SETUID",
    "CAP_KILL", "CAP_SYS_CHROOT",
)  # fmt: skip
ROOT = User(uid=0, gid=0)
NAMESPACES: tuple[NamespaceType, ...] = ("pid", "network", "ipc", "uts", "mount")
DEVICES = (
    DeviceRule(allow=False, access="rwm"),
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor, access="rwm")
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None))
    ),
)
MOUNTS = (
    Mount(destination="/proc", type="proc", source="proc", options=("nosuid", "noexec", "nodev")),
    Mount(
        destination="/dev",
        type="tmpfs",
        source="tmpfs",
        options=("nosuid", "strictatime", "mode=755", "size=65536k"),
    ),
    Mount(
        destination="/dev/pts",
        type="devpts",
        source="devpts",
        options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
    ),
    Mount(
        destination="/sys",
        type="sysfs",
        source="sysfs",
        options=("nosuid", "noexec", "nodev", "ro"),
    ),
    Mount(
        destination="/sys/fs/cgroup",
        type="cgroup",
        source="cgroup",
        options=("nosuid", "noexec", "nodev", "ro"),
    ),
)


def make_rootfs(folder: Path) -> Path:
    """A root filesystem of busybox, with a few programs that are none."""
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        (folder / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, folder / "bin/busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for name in set(applets.split()) - {"busybox"}:
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "bin/plain").write_text("not executable")
    for name in ("noshebang", "garbage"):
        (folder / "bin" / name).write_bytes(b"echo hello\n" if name == "noshebang" else b"\0\1\2\3")
        (folder / "bin" / name).chmod(stat.S_IRWXU)
    return folder


def process(
    *args: str,
    terminal: bool = False,
    size: tuple[int, int] | None = None,
    user: User = ROOT,
) -> Process:
    return Process(
        args=args,
        cwd="/",
        user=user,
        terminal=terminal,
        console_size=Box(height=size[0], width=size[1]) if size else None,
        env=("PATH=/bin", "TERM=xterm"),
        capabilities=Capabilities(
            bounding=CAPABILITIES, effective=CAPABILITIES, permitted=CAPABILITIES
        ),
    )


class Boxes:
    """A keeper of its own, a runtime, and the containers that a test starts with them."""

    def __init__(self, keeper: Keeper, runtime: OciRuntime, rootfs: Path, logs: Path) -> None:
        self.keeper, self.runtime, self.rootfs, self.logs = keeper, runtime, rootfs, logs
        self.parent = f"/knarr-test-{os.getpid()}-{secrets.token_hex(3)}"
        self.ids: list[str] = []
        self._exits: dict[tuple[str, str | None], asyncio.Future[Exit]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._attached: list[socket.socket] = []

    def spec(self, *args: str, resources: Resources | None = None, **process_: Any) -> Spec:
        limits = resources or Resources()
        return Spec(
            oci_version=OCI_VERSION,
            process=process(*args, **process_),
            root=Root(path=str(self.rootfs)),
            mounts=MOUNTS,
            linux=Linux(
                namespaces=tuple(Namespace(type=kind) for kind in NAMESPACES),
                resources=msgspec.structs.replace(limits, devices=DEVICES + limits.devices),
            ),
        )

    def launch(self, spec: Spec, *, stdin: bool = False, max_bytes: int = 10_000_000) -> Launch:
        """A launch of ``spec`` under a new name, in a group of that name."""
        container_id = secrets.token_hex(8)
        self.ids.append(container_id)
        linux = msgspec.structs.replace(spec.linux, cgroups_path=f"{self.parent}/{container_id}")
        return Launch(
            id=container_id,
            spec=msgspec.structs.replace(spec, linux=linux),
            runtime=self.runtime,
            open_stdin=stdin,
            stdin_once=stdin,
            log=LogPlace(folder=self.logs / container_id, max_bytes=max_bytes),
        )

    async def start(self, *args: str, **options: Any) -> Running:
        return await self.keeper.start(self.launch(self.spec(*args, **options)))

    async def run(self, *args: str, **options: Any) -> tuple[int, str]:
        """Start, wait; the exit code and what is in the log."""
        running = await self.start(*args, **options)
        return (await self.exit_of(running.id)).code, self.log(running.id)

    def exec(self, container_id: str, *args: str, stdin: bool = False, **more: Any) -> ExecLaunch:
        return ExecLaunch(
            id=container_id,
            exec_id=secrets.token_hex(8),
            process=process(*args, **more),
            runtime=self.runtime,
            open_stdin=stdin,
        )

    async def attach(
        self, container_id: str, exec_id: str | None = None, **wish: Any
    ) -> socket.socket:
        """As the keeper's; closed at the end of the test."""
        attached = await self.keeper.attach(container_id, exec_id, **wish)
        self._attached.append(attached)
        return attached

    async def exit_of(self, container_id: str, exec_id: str | None = None) -> Exit:
        """The exit, whether it happened already or not."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        return await asyncio.wait_for(self._future(container_id, exec_id), 20)

    def log(self, container_id: str, query: LogQuery | None = None) -> str:
        reader = LogReader(self.logs / container_id, query or LogQuery())
        return b"".join(block.data for batch in reader.written() for block in batch).decode()

    async def follow(self, container_id: str) -> str:
        """All of the log, until the process has ended."""
        reader = LogReader(self.logs / container_id, LogQuery())
        batches = [batch async for batch in reader.follow()]
        return b"".join(block.data for batch in batches for block in batch).decode()

    async def forget(self) -> None:
        """Stop listening, as a daemon that was killed."""
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        await self.keeper.close()

    async def close(self) -> None:
        """End all that a test left running, and the keeper."""
        for attached in self._attached:
            attached.close()
        for running in await self.keeper.ensure():
            if running.exec_id is None:
                with contextlib.suppress(Conflict, NotFound):
                    await self.keeper.resume(running.id)
                    await self.keeper.signal(running.id, signal.SIGKILL)
                await self.exit_of(running.id)
        for container_id in self.ids:
            await self.keeper.release(container_id)
        await self.keeper.end()
        await self.forget()

    def _future(self, container_id: str, exec_id: str | None) -> asyncio.Future[Exit]:
        loop = asyncio.get_running_loop()
        return self._exits.setdefault((container_id, exec_id), loop.create_future())

    async def _listen(self) -> None:
        async for exit_ in self.keeper.exits():
            future = self._future(exit_.id, exit_.exec_id)
            if not future.done():
                future.set_result(exit_)


async def read_all(attached: socket.socket) -> bytes:
    """What comes until the other end closes; then so do we."""
    loop, pieces = asyncio.get_running_loop(), []
    with attached:
        while piece := await asyncio.wait_for(loop.sock_recv(attached, 1 << 18), 20):
            pieces.append(piece)
    return b"".join(pieces)


def unframed(content: bytes) -> dict[int, bytes]:
    """The streams that are in Docker's frames, each put together."""
    streams: dict[int, list[bytes]] = {}
    place = 0
    while place < len(content):
        stream, length = HEADER.unpack_from(content, place)
        place += HEADER.size + length
        streams.setdefault(stream, []).append(content[place - length : place])
    return {stream: b"".join(pieces) for stream, pieces in streams.items()}
