"""One port of the host, several containers behind it."""

import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from support.daemon import Daemon
from support.waiting import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

GROUP = "io.knarr.port-group=kn"
SERVE = "echo $0 > /index.html; exec httpd -f -p 80 -h /"


@pytest.fixture
def port(daemon: Daemon) -> Iterator[int]:
    """A free port; afterwards nobody is left behind it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    yield number
    daemon.docker("rm", "-f", *daemon.docker("ps", "-aq").stdout.split())


def serve(daemon: Daemon, name: str, port: int, *more: str, label: str = GROUP) -> None:
    started = daemon.docker(
        "run", "-d", "--name", name, "--label", label, "-p", f"{port}:80", *more,
        "busybox", "sh", "-c", SERVE, name,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr


def answers(port: int, number: int = 40, host: str = "127.0.0.1") -> Counter[str]:
    """Who answered how often; a connection that fails is an error."""
    found: Counter[str] = Counter()
    for _ in range(number):
        with socket.create_connection((host, port), timeout=40) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with connection.makefile("rb") as answer:
                found[answer.read().split(b"\r\n\r\n")[1].decode().strip()] += 1
    return found


def states(daemon: Daemon) -> dict[str, str]:
    """Of the containers behind the port at all IPv4 addresses, by name."""
    ports = daemon.ask("GET", "/knarr/ports")
    names = {
        identifier: daemon.docker("inspect", "-f", "{{.Name}}", identifier).stdout.strip("/\n")
        for each in ports
        for identifier in {backend["Container"] for backend in each["Containers"]}
    }
    return {
        names[backend["Container"]]: backend["State"]
        for each in ports
        if each["HostIp"] == "0.0.0.0"
        for backend in each["Containers"]
    }


def until_all_are_ready(daemon: Daemon, *names: str) -> None:
    until(lambda: states(daemon) == dict.fromkeys(names, "ready"), say=lambda: str(states(daemon)))


def test_connections_are_spread_and_a_stopped_container_gets_none(
    daemon: Daemon, port: int
) -> None:
    for name in ("kn-one", "kn-two", "kn-three"):
        serve(daemon, name, port)
    until_all_are_ready(daemon, "kn-one", "kn-two", "kn-three")
    assert set(answers(port)) == {"kn-one", "kn-two", "kn-three"}
    daemon.docker("stop", "-t", "0", "kn-three").check_returncode()
    assert set(answers(port)) == {"kn-one", "kn-two"}
    daemon.docker("rm", "-f", "kn-one", "kn-two").check_returncode()
    with pytest.raises(OSError):  # noqa: PT011
        answers(port, 1)


def test_who_is_unhealthy_or_not_yet_healthy_gets_nothing(daemon: Daemon, port: int) -> None:
    check = ("--health-cmd", "test -e /ok", "--health-interval", "100ms", "--health-retries", "1")
    serve(daemon, "kn-one", port)
    serve(daemon, "kn-two", port, *check)
    until(lambda: states(daemon)["kn-one"] == "ready")
    assert set(answers(port)) == {"kn-one"}
    daemon.docker("exec", "kn-two", "touch", "/ok").check_returncode()
    until_all_are_ready(daemon, "kn-one", "kn-two")
    assert set(answers(port)) == {"kn-one", "kn-two"}
    daemon.docker("exec", "kn-two", "rm", "/ok").check_returncode()
    until(lambda: states(daemon)["kn-two"] == "waiting")
    assert set(answers(port)) == {"kn-one"}


def test_who_drains_ends_what_it_has_begun_and_can_come_back(daemon: Daemon, port: int) -> None:
    serve(daemon, "kn-one", port)
    until_all_are_ready(daemon, "kn-one")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as old:
        serve(daemon, "kn-two", port)
        until_all_are_ready(daemon, "kn-one", "kn-two")
        drained = daemon.ask("POST", "/knarr/containers/kn-one/drain?t=0")
        assert drained == {"Connections": 1}
        assert set(answers(port)) == {"kn-two"}
        old.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"kn-one" in old.makefile("rb").read()
    drained = daemon.ask("POST", "/knarr/containers/kn-one/drain?t=30")
    assert drained == {"Connections": 0}
    daemon.ask("POST", "/knarr/containers/kn-one/admit")
    until_all_are_ready(daemon, "kn-one", "kn-two")


@pytest.mark.long
def test_a_new_daemon_knows_who_shares(daemon: Daemon, port: int) -> None:
    for name in ("kn-one", "kn-two"):
        serve(daemon, name, port)
    until_all_are_ready(daemon, "kn-one", "kn-two")
    daemon.kill()
    assert set(answers(port)) == {"kn-one", "kn-two"}
    daemon.start()
    until_all_are_ready(daemon, "kn-one", "kn-two")
    assert set(answers(port)) == {"kn-one", "kn-two"}
    daemon.docker("rm", "-f", "kn-one").check_returncode()
    assert set(answers(port)) == {"kn-two"}


def test_who_was_never_answered_by_one_that_has_gone_reaches_another(
    daemon: Daemon, port: int
) -> None:
    serve(daemon, "kn-one", port, "--cap-add", "NET_ADMIN")
    until_all_are_ready(daemon, "kn-one")
    daemon.docker("exec", "kn-one", "ip", "link", "set", "eth0", "down").check_returncode()
    with known_neighbour(daemon, "kn-one"), ThreadPoolExecutor(1) as pool:
        asking = pool.submit(answers, port, 1)
        until(lambda: _half_open(port))
        serve(daemon, "kn-two", port)
        daemon.docker("rm", "-f", "kn-one").check_returncode()
        assert asking.result(timeout=60) == {"kn-two": 1}


@contextmanager
def known_neighbour(daemon: Daemon, name: str) -> Iterator[None]:
    """This machine never asks where the container is, and so never finds that it is not there."""
    form = "{{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}"
    address, mac = daemon.docker("inspect", "-f", form, name).stdout.split()
    form = '{{index .Options "com.docker.network.bridge.name"}}'
    bridge = daemon.docker("network", "inspect", "-f", form, "bridge").stdout.strip()
    neighbour = ["ip", "neigh", "replace", address, "lladdr", mac, "dev", bridge]
    subprocess.run([*neighbour, "nud", "permanent"], check=True)
    yield
    subprocess.run(["ip", "neigh", "del", address, "dev", bridge], check=False)


def _half_open(port: int) -> bool:
    """Whether some connection to the port of this machine has not been answered yet."""
    with open("/proc/net/tcp") as table:
        fields = [line.split() for line in table]
    return any(each[2].endswith(f":{port:04X}") and each[3] == "02" for each in fields[1:])


def test_a_stranger_is_refused_and_told_who_has_the_port(daemon: Daemon, port: int) -> None:
    serve(daemon, "kn-one", port)
    refused = daemon.docker("run", "-d", "-p", f"{port}:80", "busybox", "true")
    assert refused.returncode == 125
    assert "held by container kn-one" in refused.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_an_address_may_be_named_and_compose_says_who_shares(
    daemon: Daemon, port: int, host: str
) -> None:
    labels = ("--label", "com.docker.compose.service=web")
    for name in ("kn-one", "kn-two"):
        started = daemon.docker(
            "run", "-d", "--name", name, "--label", "com.docker.compose.project=kn", *labels,
            "-p", f"{host}:{port}:80", "busybox", "sh", "-c", SERVE, name,
        )  # fmt: skip
        assert started.returncode == 0, started.stderr
    until(lambda: _reached(port) == {"kn-one", "kn-two"})


def _reached(port: int) -> set[str]:
    try:
        return set(answers(port))
    except (OSError, IndexError):
        return set()
