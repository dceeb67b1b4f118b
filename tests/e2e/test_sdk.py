"""The typed client on knarr's engine and on Docker's: the same program, the same answers."""

import asyncio
import time
from contextlib import aclosing

import pytest

from e2e.conftest import PeerDocker
from knarr.client import AsyncClient, Client
from knarr.errors import Conflict, NotFound
from knarr.spec.docker.container import ContainerCreate, HostConfig
from knarr.spec.docker.exec import ExecCreate
from knarr.spec.docker.network import NetworkCreate
from knarr.spec.docker.volume import VolumeCreate
from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "dockerd", "busybox")


@pytest.fixture(params=["knarr", "docker"])
def host(request: pytest.FixtureRequest, daemon: Daemon, dockerd: PeerDocker) -> str:
    return daemon.host if request.param == "knarr" else dockerd.host


WRITES = ContainerCreate(image="busybox", cmd=("sh", "-c", "echo out; echo err >&2; exit 3"))
ECHO = ContainerCreate(
    image="busybox", cmd=("cat",), open_stdin=True, stdin_once=True, attach_stdin=True
)


def test_a_containers_life(host: str) -> None:
    with Client(host) as client:
        created = client.containers.create(WRITES, name="sdk")
        try:
            with pytest.raises(Conflict):
                client.containers.create(WRITES, name="sdk")
            client.containers.start(created.id)
            assert client.containers.wait("sdk").status_code == 3
            assert sorted(client.containers.logs("sdk")) == [
                ("stderr", b"err\n"), ("stdout", b"out\n"),
            ]  # fmt: skip
            found = client.containers.inspect("sdk")
            assert found.state is not None
            assert (found.state.status, found.state.exit_code) == ("exited", 3)
            assert [
                each.id for each in client.containers.list(all_=True, where={"name": ["sdk"]})
            ] == [created.id]
        finally:
            client.containers.remove("sdk", force=True)
        with pytest.raises(NotFound):
            client.containers.inspect("sdk")


def test_programs_and_streams(host: str) -> None:
    with Client(host) as client:
        created = client.containers.create(ECHO, name="sdk")
        try:
            with client.containers.attach(created.id) as stream:
                client.containers.start(created.id)
                program = ExecCreate(
                    cmd=("sh", "-c", "echo o; echo e >&2; exit 4"), attach_stdout=True,
                    attach_stderr=True,
                )  # fmt: skip
                assert client.exec.run("sdk", program) == (4, b"o\n", b"e\n")
                (sample,) = client.containers.stats("sdk", stream=False)
                assert sample.name == "/sdk"
                assert client.containers.top("sdk").processes
                stream.send(b"hello")
                stream.close_write()
                assert list(stream) == [(1, b"hello")]
        finally:
            client.containers.remove("sdk", force=True)


def test_volumes_networks_images(host: str) -> None:
    with Client(host) as client:
        volume = client.volumes.create(VolumeCreate(name="sdk", labels={"a": "b"}))
        network = client.networks.create(NetworkCreate(name="sdk", driver="bridge"))
        body = ContainerCreate(
            image="busybox", cmd=("sh", "-c", "echo kept >/v/file"),
            host_config=HostConfig(binds=("sdk:/v",), network_mode="sdk", auto_remove=True),
        )  # fmt: skip
        try:
            created = client.containers.create(body)
            client.containers.start(created.id)
            assert client.volumes.inspect("sdk").labels == volume.labels == {"a": "b"}
            assert client.networks.inspect("sdk").id == network.id
            archive = b"".join(client.images.save(["busybox"]))
            assert [each.stream for each in client.images.load(archive) if each.stream][-1:] == [
                "Loaded image: busybox:latest\n"
            ]
            assert client.images.history("busybox")
            assert client.system.data_usage().layers_size > 0
        finally:
            deadline = time.monotonic() + 10
            while client.containers.list(all_=True, where={"network": ["sdk"]}):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            client.networks.remove("sdk")
            client.volumes.remove("sdk")


async def test_many_things_at_once(host: str) -> None:
    async with AsyncClient(host) as client:
        since = str(int(time.time()) - 1)
        bodies = [ContainerCreate(image="busybox", cmd=("sh", "-c", f"exit {n}")) for n in range(4)]
        created = await asyncio.gather(*(client.containers.create(body) for body in bodies))
        try:
            await asyncio.gather(*(client.containers.start(each.id) for each in created))
            ended = await asyncio.gather(*(client.containers.wait(each.id) for each in created))
            assert [each.status_code for each in ended] == [0, 1, 2, 3]
        finally:
            await asyncio.gather(
                *(client.containers.remove(each.id, force=True) for each in created)
            )
        seen = set()
        where = {"container": [created[0].id]}
        async with aclosing(client.system.events(since=since, where=where)) as events:
            async for event in events:
                seen.add(event.action)
                if event.action == "destroy":
                    break
        assert {"create", "start", "die", "destroy"} <= seen
