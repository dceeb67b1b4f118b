"""What docker-py asks of an engine, where it differs from the docker CLI."""

from collections.abc import Iterator

import docker
import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")


@pytest.fixture
def sdk(daemon: Daemon) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=daemon.host)
    yield client
    client.close()


def test_a_link_can_be_removed_and_what_was_linked_stays(sdk: docker.DockerClient) -> None:
    api = sdk.api
    target = api.create_container("busybox", ["true"])["Id"]
    links = api.create_host_config(links={target: "db"})
    made = api.create_container("busybox", ["true"], host_config=links, name="linked")["Id"]
    api.remove_container("linked/db", link=True)
    assert not api.inspect_container(made)["HostConfig"]["Links"]
    with pytest.raises(docker.errors.NotFound, match="No such link: linked/db"):
        api.remove_container("linked/db", link=True)
    api.remove_container(made)
    api.remove_container(target)


def test_the_engine_is_in_no_swarm(sdk: docker.DockerClient) -> None:
    assert sdk.info()["Swarm"]["LocalNodeState"] == "inactive"


def test_the_runtime_may_stand_where_docker_py_puts_it(sdk: docker.DockerClient) -> None:
    for name in sdk.info()["Runtimes"]:
        made = sdk.api.create_container("busybox", ["true"], runtime=name)["Id"]
        assert sdk.api.inspect_container(made)["HostConfig"]["Runtime"] == name
        sdk.api.remove_container(made)


def test_an_old_client_gets_old_shapes(daemon: Daemon, sdk: docker.DockerClient) -> None:
    with docker.APIClient(base_url=daemon.host, version="1.41") as old:
        image = old.inspect_image("busybox")
        assert image["VirtualSize"] == image["Size"]
        assert "Descriptor" not in image
        assert old.images()[0]["VirtualSize"] == old.images()[0]["Size"]
        assert "KernelMemory" in old.info()
    assert "VirtualSize" not in sdk.api.inspect_image("busybox")


def test_a_login_where_nobody_answers_is_the_engines_failure(sdk: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.APIError, match="connection refused") as caught:
        sdk.api.login("me", "secret", registry="127.0.0.1:1")
    assert caught.value.status_code == 500


def test_an_old_client_asks_for_images_by_a_word(daemon: Daemon) -> None:
    def listed(version: str) -> int:
        with docker.APIClient(base_url=daemon.host, version=version) as client:
            answer = client.get(
                client._url("/images/json"), params={"filter": "no-such-image", "all": "1"}
            )
            return len(answer.json())

    assert listed("1.40") == 0
    assert listed("1.41") > 0


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/containers/plain/start?checkpoint=yesterday", 501, "checkpoints need CRIU"),
        ("/build?securityopt=%5B%22label%3Ddisable%22%5D", 400, "security options on build"),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    sdk: docker.DockerClient, path: str, status: int, words: str
) -> None:
    answer = sdk.api.post(sdk.api.base_url + path)
    assert answer.status_code == status
    assert words in answer.json()["message"]


def test_a_client_of_1_52_gets_sums_and_no_flat_addresses(daemon: Daemon) -> None:
    with docker.APIClient(base_url=daemon.host, version="1.52") as new:
        made = new.create_container("busybox", ["true"])["Id"]
        assert "IPAddress" not in new.inspect_container(made)["NetworkSettings"]
        assert new.df()["ContainerUsage"]["TotalCount"] >= 1
        (row,) = new.containers(all=True, filters={"id": made})
        assert row["Health"] == {"Status": "none", "FailingStreak": 0}
        assert "IPAM" in new.inspect_network("bridge")["Status"]
        new.remove_container(made)
