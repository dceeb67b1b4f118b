"""A real Docker beside us, private to the tests: its own data, no network of the host touched."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.cgroups import remove_group
from support.peers import running

_START_S: Final = 30.0


class Docker:
    """The docker CLI on one engine."""

    def __init__(self, host: str) -> None:
        self.host = host

    def __call__(
        self, *argv: str, check: bool = True, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", "-H", self.host, *argv],
            capture_output=True,
            input=given,
            check=check,
            env={**os.environ, "DOCKER_HOST": self.host},
        )

    def text(self, *argv: str) -> str:
        return self(*argv).stdout.decode()


@contextmanager
def private_dockerd(folder: Path) -> Iterator[Docker]:
    """A dockerd without a bridge and without rules, for the length of a block."""
    host = f"unix://{folder}/docker.sock"
    group = f"/kn-dockerd-{os.getpid()}"
    argv = [
        "dockerd", "-H", host, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
        "--pidfile", f"{folder}/docker.pid", "--bridge", "none", "--iptables=false",
        "--ip-forward=false", "--ip-masq=false",
        "--cgroup-parent", group,
    ]  # fmt: skip
    with running(*argv, log=folder / "dockerd.log") as process:
        docker = Docker(host)
        end = time.monotonic() + _START_S
        while docker("version", check=False).returncode:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "dockerd.log").read_text()[-2000:])
            time.sleep(0.1)
        yield docker
    subprocess.run(["umount", "-l", f"{folder}/exec/netns/default"], check=False)
    remove_group(group)
