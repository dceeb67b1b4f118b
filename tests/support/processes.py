"""Runners of build steps for tests: one that really runs them, and one that only pretends."""

import asyncio
import os
import shlex
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from knarr.build.runner import BoundPath, Ended, Output, Process

_CHROOT = shutil.which("chroot") or "/usr/sbin/chroot"
Fake = Callable[[Process, Output], Awaitable[int]]


class Chrooted:
    """Runs a process in its root with namespaces of its own, by unshare(1) and chroot(1).

    No network, no control groups, no seccomp: what the daemon's runner adds is tested there.
    """

    def id_map(self, network: str, *, insecure: bool) -> None:
        """Nobody is anybody else here."""

    async def run(self, process: Process, output: Output) -> Ended:
        script = "\n".join(self._script(process))
        child = await asyncio.create_subprocess_exec(
            "unshare", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork", "--kill-child",
            "sh", "-ec", script,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            await asyncio.gather(_pump(child.stdout, 1, output), _pump(child.stderr, 2, output))
            code = await child.wait()
        except asyncio.CancelledError:
            os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
            raise
        return Ended(code=code if code >= 0 else 128 - code)

    def _script(self, process: Process) -> list[str]:
        root = process.rootfs
        lines = ["mount --make-rprivate /", f"mount -t proc proc {_q(root / 'proc')}"]
        for mount in process.mounts:
            target = _q(root / mount.target.lstrip("/"))
            if isinstance(mount, BoundPath):
                make = "mkdir -p" if mount.source.is_dir() else "install -D -m 0644 /dev/null"
                exists = "-d" if mount.source.is_dir() else "-e"
                lines.append(f"[ {exists} {target} ] || {make} {target}")
                lines.append(f"mount --bind {_q(mount.source)} {target}")
                if mount.read_only:
                    lines.append(f"mount -o remount,bind,ro {target}")
            else:
                lines.append(f"mkdir -p {target}; mount -t tmpfs tmpfs {target}")
        user = process.user or "0"
        group = "" if ":" in user else f":{user}"
        lines.append(f"hostname {shlex.quote(process.hostname)}")
        inside = shlex.join(["cd", process.cwd]) + " && exec " + shlex.join(process.argv)
        lines.append(
            f"exec env -i {shlex.join(process.env)} {_CHROOT} --userspec={user}{group} {_q(root)} "
            f"/bin/sh -c {shlex.quote(inside)}"
        )
        return lines


def _q(path: Path) -> str:
    return shlex.quote(os.fspath(path))


async def _pump(stream: asyncio.StreamReader, number: int, output: Output) -> None:
    while chunk := await stream.read(1 << 16):
        output(number, chunk)


class Pretended:
    """Remembers what it was asked to run, and does what the test's function does."""

    def __init__(self, does: Fake | None = None) -> None:
        self.asked: list[Process] = []
        self.running = 0
        self.most_at_once = 0
        self._does = does

    def id_map(self, network: str, *, insecure: bool) -> None:
        """Nobody is anybody else here."""

    async def run(self, process: Process, output: Output) -> Ended:
        self.asked.append(process)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            return Ended(code=await self._does(process, output) if self._does else 0)
        finally:
            self.running -= 1

    @property
    def commands(self) -> list[str]:
        return [" ".join(process.argv) for process in self.asked]
