import pytest

from knarr.container.merge import command_line, merged
from knarr.errors import InvalidArgument
from knarr.spec.docker.container import ContainerConfig
from knarr.spec.docker.health import HealthConfig
from knarr.spec.docker.image import ImageConfig

IMAGE = ImageConfig(
    user="web",
    env=("PATH=/bin", "A=image"),
    entrypoint=("/entry",),
    cmd=("serve",),
    working_dir="/srv",
    labels={"a": "image", "b": "image"},
    exposed_ports={"80/tcp": {}},
    volumes={"/data": {}},
    healthcheck=HealthConfig(test=("CMD", "true"), interval=5_000_000, retries=4),
    stop_signal="SIGQUIT",
)


def test_what_the_client_leaves_out_comes_from_the_image() -> None:
    config = merged(ContainerConfig(), IMAGE)
    assert command_line(config) == ("/entry", "serve")
    assert (config.user, config.working_dir, config.stop_signal) == ("web", "/srv", "SIGQUIT")
    assert config.volumes == {"/data": {}}
    assert config.healthcheck == IMAGE.healthcheck


def test_maps_are_joined_and_the_client_wins() -> None:
    config = merged(
        ContainerConfig(
            env=("A=client", "C=client"), labels={"a": "client"}, exposed_ports={"81/tcp": {}}
        ),
        IMAGE,
    )
    assert config.env == ("A=client", "C=client", "PATH=/bin")
    assert config.labels == {"a": "client", "b": "image"}
    assert config.exposed_ports == {"80/tcp": {}, "81/tcp": {}}


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "line"),
    [
        (None, ("x",), ("/entry", "x")),
        (("/other",), None, ("/other",)),
        (("/other",), ("x",), ("/other", "x")),
        (("",), ("x",), ("x",)),
        ((), ("x",), ("x",)),
        ((), None, ("serve",)),
    ],
)
def test_entrypoint_and_command(
    entrypoint: tuple[str, ...] | None, cmd: tuple[str, ...] | None, line: tuple[str, ...]
) -> None:
    assert command_line(merged(ContainerConfig(entrypoint=entrypoint, cmd=cmd), IMAGE)) == line


def test_health_checks_are_joined_field_by_field() -> None:
    config = merged(ContainerConfig(healthcheck=HealthConfig(retries=9)), IMAGE)
    assert config.healthcheck == HealthConfig(test=("CMD", "true"), interval=5_000_000, retries=9)


def test_nothing_to_run_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^no command specified$"):
        merged(ContainerConfig(entrypoint=("",)), ImageConfig(entrypoint=("/entry",)))
