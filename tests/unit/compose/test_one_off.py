"""What ``run`` says over a service."""

import pytest

from knarr.compose.one_off import RunOptions, one_off
from knarr.compose.project import Service
from knarr.errors import InvalidArgument

SERVICE = Service(
    name="web",
    values={
        "image": "busybox",
        "command": ["serve"],
        "restart": "always",
        "tty": True,
        "environment": {"A": "1", "B": "2"},
        "ports": [{"target": 80, "published": "8080", "protocol": "tcp", "mode": "ingress"}],
        "volumes": [{"type": "volume", "source": "data", "target": "/data"}],
        "cap_add": ["NET_ADMIN"],
        "cap_drop": ["MKNOD"],
        "deploy": {"restart_policy": {"condition": "any"}, "replicas": 3},
    },
)


def test_it_neither_restarts_nor_takes_the_ports_of_the_service() -> None:
    made = one_off(SERVICE, RunOptions())
    assert made.get("ports") == []
    assert made.get("restart") in ("", None)
    assert made.get("deploy") == {"replicas": 3}
    assert made.get("scale") == 1
    assert made.get("command") == ["serve"]


def test_with_service_ports_it_has_them() -> None:
    assert one_off(SERVICE, RunOptions(service_ports=True)).get("ports") == SERVICE.get("ports")


def test_what_is_said_wins_and_the_rest_stays() -> None:
    options = RunOptions(
        command=("sh", "-c", "x"),
        tty=True,
        user="5",
        working_dir="/w",
        environment={"B": "3", "C": "4"},
        ports=("127.0.0.1:9000:80",),
        volumes=("./here:/there:ro",),
        directory="/project",
    )
    made = one_off(SERVICE, options)
    assert made.get("command") == ["sh", "-c", "x"]
    assert (made.get("tty"), made.get("user"), made.get("working_dir")) == (True, "5", "/w")
    assert made.get("environment") == {"A": "1", "B": "3", "C": "4"}
    [port] = made.get("ports")
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "9000", 80)
    assert [(each["source"], each["target"]) for each in made.get("volumes")] == [
        ("data", "/data"), ("/project/here", "/there"),
    ]  # fmt: skip


def test_another_entrypoint_takes_the_services_command_away() -> None:
    made = one_off(SERVICE, RunOptions(entrypoint=("sh",)))
    assert made.get("entrypoint") == ["sh"]
    assert not made.get("command")


def test_a_capability_is_added_or_dropped_not_both() -> None:
    made = one_off(SERVICE, RunOptions(cap_add=("MKNOD",), cap_drop=("NET_ADMIN",)))
    assert (made.get("cap_add"), made.get("cap_drop")) == (["MKNOD"], ["NET_ADMIN"])


def test_a_bad_port_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        one_off(SERVICE, RunOptions(ports=("99999999:80",)))
