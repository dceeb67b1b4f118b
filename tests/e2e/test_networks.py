"""Containers that find each other, over the real CLI, and over the death of the daemon."""

import socket
from collections.abc import Iterator

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

SERVE = "mkdir /w; echo $HOSTNAME > /w/index.html; exec httpd -f -p 80 -h /w"


@pytest.fixture
def net(daemon: Daemon) -> Iterator[str]:
    """A network of one's own, gone afterwards with all that is on it."""
    daemon.docker("network", "create", "kn-net").check_returncode()
    yield "kn-net"
    daemon.docker("rm", "-f", "kn-web", "kn-pair", "kn-dns")
    daemon.docker("network", "rm", "kn-net").check_returncode()


def fetched(daemon: Daemon, net: str, url: str) -> str:
    argv = ("run", "--rm", "--network", net, "busybox", "timeout", "3", "wget", "-qO-", url)
    return daemon.docker(*argv).stdout.strip()


def serve(daemon: Daemon, name: str, *options: str) -> None:
    argv = ("run", "-d", "--name", name, "--hostname", name, *options)
    daemon.docker(*argv, "busybox", "sh", "-c", SERVE).check_returncode()


def page(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=3) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return client.makefile("rb").read().splitlines()[-1]


def published(daemon: Daemon, name: str) -> int:
    return int(daemon.docker("port", name, "80").stdout.splitlines()[0].rpartition(":")[2])


def test_names_and_ports_outlive_the_daemon(daemon: Daemon, net: str) -> None:
    serve(daemon, "kn-web", "--network", net, "-p", "127.0.0.1::80")
    port = published(daemon, "kn-web")
    daemon.kill()
    assert page(port) == b"kn-web"  # nobody is needed for that
    daemon.start()
    assert published(daemon, "kn-web") == port
    assert page(port) == b"kn-web"
    assert fetched(daemon, net, "http://kn-web/") == "kn-web"
    asked = daemon.docker("exec", "kn-web", "nslookup", "kn-web", "127.0.0.11")
    assert "Address" in asked.stdout
    with socket.socket() as rival, pytest.raises(OSError, match="in use"):
        rival.bind(("127.0.0.1", port))


def test_containers_of_one_alias_share_its_work(daemon: Daemon, net: str) -> None:
    for name in ("kn-web", "kn-pair"):
        serve(daemon, name, "--network", net, "--network-alias", "pool")
    looked_up = daemon.docker("run", "--rm", "--network", net, "busybox", "nslookup", "pool")
    assert looked_up.stdout.count("Name:\tpool") == 2


def test_a_container_whose_neighbours_come_and_go_is_always_told_the_truth(
    daemon: Daemon, net: str
) -> None:
    serve(daemon, "kn-web", "--network", net)
    for _ in range(3):
        serve(daemon, "kn-pair", "--network", net)
        found = daemon.docker("exec", "kn-web", "nslookup", "kn-pair")
        assert found.returncode == 0, found.stdout
        daemon.docker("rm", "-f", "kn-pair").check_returncode()
        assert daemon.docker("exec", "kn-web", "nslookup", "kn-pair").returncode != 0
