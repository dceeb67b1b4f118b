"""An engine inside somebody's test: by a block, and by a fixture of pytest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import knarr
from knarr.errors import KnarrError
from knarr.spec.docker.container import ContainerCreate, HostConfig
from knarr.spec.docker.exec import ExecCreate
from support.leaks import holdings

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "busybox")


async def test_an_engine_lives_for_a_block_and_leaves_nothing(
    tmp_path: Path, busybox_archive: Path
) -> None:
    with knarr.engine(root=tmp_path, images=[busybox_archive]) as engine:
        folder = Path(engine.host.removeprefix("unix://")).parent
        body = ContainerCreate(
            image="busybox", cmd=("sleep", "1000"), host_config=HostConfig(network_mode="bridge")
        )
        made = engine.client.containers.create(body, name="sleeper")
        engine.client.containers.start(made.id)
        async with engine.async_client() as client:
            asked = ExecCreate(cmd=("hostname",), attach_stdout=True)
            code, out, _ = await client.exec.run("sleeper", asked)
        assert (code, out.decode().strip()) == (0, made.id[:12])
        assert engine.environment["DOCKER_HOST"] == engine.host
        assert holdings(tmp_path, folder).links
    assert "stopping" in engine.log
    assert not holdings(tmp_path, folder).links
    assert not folder.exists()
    mounts = Path("/proc/self/mounts").read_text()
    assert str(folder) not in mounts
    assert str(tmp_path) not in mounts


async def test_two_engines_know_nothing_of_each_other() -> None:
    async with knarr.engine() as one, knarr.engine() as other:
        one.client.volumes.create({"Name": "mine"})
        assert [each.name for each in one.client.volumes.list().volumes] == ["mine"]
        assert list(other.client.volumes.list().volumes) == []
    assert not one.root.exists()


def test_an_engine_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(KnarrError, match="did not start") as caught,
        knarr.engine(root=tmp_path, flags=["--nonsense"]),
    ):
        pass
    assert "unknown flag: --nonsense" in str(caught.value)


def test_the_fixture_is_an_engine_for_all_tests_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "def test_one(knarr_engine):\n"
        "    knarr_engine.client.volumes.create({'Name': 'mine'})\n"
        "def test_two(knarr_engine):\n"
        "    assert knarr_engine.client.volumes.inspect('mine').name == 'mine'\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "knarr.testing.fixture", "-p",
         "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(knarr.__file__).parents[1])},
    )  # fmt: skip
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr
