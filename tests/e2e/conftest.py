"""One daemon of our own and one real Docker for all end-to-end tests of a run."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import images
from support.abilities import lacking
from support.cgroups import remove_group
from support.daemon import Daemon, running_daemon
from support.peers import running

_DOCKERD_SECONDS = 60.0

Docker = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class PeerDocker:
    """The docker CLI on the private dockerd."""

    host: str
    config_folder: str

    @property
    def environment(self) -> dict[str, str]:
        """For other clients of the same engine."""
        environment = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_CONFIG": self.config_folder}
        return {**environment, "DOCKER_BUILDKIT": "0"}

    def __call__(
        self, *words: str, timeout: float = 60, **options: object
    ) -> "subprocess.CompletedProcess[str]":
        result: subprocess.CompletedProcess[str] = subprocess.run(
            ["docker", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,  # type: ignore[call-overload]
        )
        return result


@pytest.fixture(scope="session")
def busybox_archive() -> Iterator[Path]:
    """A docker archive of ``busybox:latest``, on disk."""
    with tempfile.TemporaryDirectory(prefix="knarr-images-") as folder:
        path = Path(folder, "busybox.tar")
        path.write_bytes(images.busybox())
        yield path


@pytest.fixture(scope="session")
def daemon(busybox_archive: Path) -> Iterator[Daemon]:
    """knarr, with the busybox image loaded."""
    with running_daemon() as daemon:
        loaded = daemon.docker("load", "-i", str(busybox_archive))
        assert loaded.returncode == 0, loaded.stderr + daemon.log.read_text()
        yield daemon


@pytest.fixture(scope="session")
def dockerd(busybox_archive: Path) -> Iterator[PeerDocker]:
    """The docker CLI on a private dockerd in a network namespace of its own."""
    if reason := lacking("dockerd"):
        if os.environ.get("KNARR_CI"):
            pytest.fail(f"needs dockerd: {reason}", pytrace=False)
        pytest.skip(f"needs dockerd: {reason}")
    with tempfile.TemporaryDirectory(prefix="knarr-dockerd-", ignore_cleanup_errors=True) as folder:
        host = f"unix://{folder}/docker.sock"
        argv = [
            "unshare", "-n", "--", "sh", "-c", 'ip link set lo up; exec "$@"', "sh",
            "dockerd", "-H", host, "--data-root", f"{folder}/data",
            "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/docker.pid",
            "--cgroup-parent", f"/kn-peer-{os.getpid()}",
        ]  # fmt: skip

        docker = PeerDocker(host, f"{folder}/client")
        with running(*argv, log=Path(folder, "log")):
            deadline = time.monotonic() + _DOCKERD_SECONDS
            while docker("version").returncode != 0:
                assert time.monotonic() < deadline, Path(folder, "log").read_text()[-3000:]
                time.sleep(0.2)
            docker("load", "-i", str(busybox_archive))
            yield docker
            if ids := docker("ps", "-aq").stdout.split():
                docker("rm", "-f", *ids)
        subprocess.run(["umount", "-l", f"{folder}/exec/netns/default"], check=False)
        remove_group(f"/kn-peer-{os.getpid()}")
