"""A root file system, and a program in a container made by our own plan."""

import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from knarr.container.facts import account_files, host_devices, read_machine
from knarr.container.machine import Machine
from knarr.container.plan import Surroundings, runtime_spec
from knarr.container.settings import Defaults, checked_host, completed
from knarr.ids import new_hex
from knarr.spec import encode
from knarr.spec.docker.container import ContainerConfig, HostConfig
from support.cgroups import remove_group
from support.dockerd import Docker, private_dockerd
from support.images import busybox, busybox_layer

Contained = Callable[..., str]


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """Debian's dockerd with an image ``busybox``."""
    with private_dockerd(tmp_path_factory.mktemp("dockerd")) as docker:
        docker("load", given=busybox())
        yield docker


@pytest.fixture(scope="session")
def machine() -> Machine:
    return read_machine()


@pytest.fixture(scope="session")
def cgroup_parent() -> Iterator[str]:
    """A group for our containers' groups, and none is left."""
    parent = f"/kn-test-{os.getpid()}"
    yield parent
    remove_group(parent)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    root = tmp_path / "rootfs"
    with tarfile.open(fileobj=BytesIO(busybox_layer())) as archive:
        archive.extraction_filter = lambda member, _path: member
        archive.extractall(root)
    return root


@pytest.fixture
def contained(tmp_path: Path, rootfs: Path, machine: Machine, cgroup_parent: str) -> Contained:
    """Runs a shell script in a container by runc; what it printed. Settings as in HostConfig."""

    def run(script: str, config: ContainerConfig | None = None, **settings: object) -> str:
        wanted = HostConfig(cgroup_parent=cgroup_parent, **settings)  # type: ignore[arg-type]
        given = config or ContainerConfig()
        config = msgspec.structs.replace(given, cmd=("sh", "-c", script))
        checked, _ = checked_host(wanted, config, machine)
        host = completed(checked, machine, Defaults())
        passwd, group = account_files(str(rootfs))
        around = Surroundings(
            id=f"kn{new_hex()[:20]}",
            rootfs=str(rootfs),
            hostname="box",
            passwd=passwd,
            group=group,
            host_devices=host_devices(),
        )
        plan = runtime_spec(config, host, around, machine)
        bundle = tmp_path / "bundle"
        bundle.mkdir(exist_ok=True)
        (bundle / "config.json").write_bytes(encode(plan.spec))
        argv = ["runc", "--root", str(tmp_path / "state"), "run", "--bundle", str(bundle)]
        done = subprocess.run(
            [*argv, around.id],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
