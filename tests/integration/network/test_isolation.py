"""Who reaches whom: every rule with real traffic, over IPv4 and IPv6, by TCP and UDP.

The whole table is tried each time: on fresh networks, after a flush of all rules, after a restart
of the engine, and with Docker's rules and a container of Docker's on the same host.
"""

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from knarr.network import NetworkService, NetworkSettings, PortRequest
from knarr.spec.docker.network import NetworkCreate
from knarr.store import Database
from support import images
from support.cages import HOST, OUTSIDE, Cage, CageSockets, Runner
from support.cgroups import remove_group
from support.netns import Namespace, default_route
from support.peers import running
from support.traffic import eventually, until

pytestmark = pytest.mark.needs("namespaces", "nft")

HOST6, OUTSIDE6 = "2001:db8::1", "2001:db8::2"
EVERY_WAY = frozenset({"tcp4", "tcp6", "udp4", "udp6"})
NO_WAY: frozenset[str] = frozenset()
TRIES, TRY_SECONDS = 4, 0.25

# To a container of ``front`` that publishes its ports, by its own address and by the host's; to the
# outside. ``a`` is its neighbour, ``b`` on another network, ``c`` on an internal one.
REACH = {
    ("a", "front"): EVERY_WAY,
    ("b", "front"): NO_WAY,
    ("c", "front"): NO_WAY,
    ("outside", "front"): NO_WAY,  # though it has a route there
    ("host", "front"): EVERY_WAY,
    ("a", "published"): EVERY_WAY,
    ("b", "published"): EVERY_WAY,
    ("c", "published"): NO_WAY,
    ("outside", "published"): EVERY_WAY,
    ("host", "published"): EVERY_WAY,
    ("host", "loopback"): frozenset({"tcp4", "udp4", "tcp6"}),  # UDP to ::1: not possible
    ("outside", "unpublished"): NO_WAY,
    ("b", "unpublished"): NO_WAY,
    ("a", "back"): NO_WAY,
    ("c", "back"): NO_WAY,
    ("outside", "back"): NO_WAY,
    ("a", "closed"): NO_WAY,
    ("b", "closed"): NO_WAY,
    ("outside", "closed"): NO_WAY,
    ("host", "closed"): EVERY_WAY,
    ("c", "closed mate"): EVERY_WAY,
    ("a", "beyond"): EVERY_WAY,
    ("b", "beyond"): EVERY_WAY,
    ("c", "beyond"): NO_WAY,
}


@dataclass
class World:
    """Places to ask from, and what to ask for: (IPv4, IPv6, TCP port, UDP port)."""

    places: dict[str, Namespace]
    addresses: dict[str, tuple[str, str, int, int]]
    cages: list[Cage]

    def reached(self) -> dict[tuple[str, str], frozenset[str]]:
        ways = [(pair, way) for pair, way in product(REACH, sorted(EVERY_WAY))]
        with ThreadPoolExecutor(len(ways)) as pool:
            found = list(pool.map(lambda each: self._gets_there(*each), ways))
        return {
            pair: frozenset(
                way for (tried, way), there in zip(ways, found, strict=True)
                if there and tried == pair
            )
            for pair in REACH
        }  # fmt: skip

    def _gets_there(self, pair: tuple[str, str], way: str) -> bool:
        place, (four, six, tcp, udp) = self.places[pair[0]], self.addresses[pair[1]]
        address = four if way.endswith("4") else six
        if way.startswith("tcp"):
            return answers(place, address, tcp, socket.SOCK_STREAM)
        return answers(place, address, udp, socket.SOCK_DGRAM)


def answers(place: Namespace, address: str, port: int, kind: socket.SocketKind) -> bool:
    """Whether a question is answered; several tries, as a busy machine may be late."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(TRIES):
        sock = place.open_socket(family, kind)
        sock.settimeout(TRY_SECONDS)
        try:
            sock.connect((address, port))
            sock.send(b"ping")
            if sock.recv(100) == b"PING":
                return True
        except OSError:
            continue
        finally:
            sock.close()
    return False


def serve(place: Namespace) -> None:
    """Answer at TCP 80 and 81, UDP 53 and 54, of both IP versions, until the place is closed."""
    for port in (80, 81):
        threading.Thread(target=_serve_tcp, args=(place.listen("::", port),), daemon=True).start()
    for port in (53, 54):
        threading.Thread(target=_serve_udp, args=(place.udp("::", port),), daemon=True).start()


def _serve_tcp(server: socket.socket) -> None:
    server.settimeout(None)
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.settimeout(1)
            try:
                client.sendall(client.recv(100).upper())
            except OSError:
                continue


def _serve_udp(server: socket.socket) -> None:
    server.settimeout(None)
    while True:
        try:
            question, peer = server.recvfrom(100)
            server.sendto(question.upper(), peer)
        except OSError:
            return


@pytest.fixture
async def world(
    host: Namespace, outside: Namespace, networks: NetworkService, run: Runner
) -> World:
    outside.add_address("eth0", f"{OUTSIDE6}/64")
    host.add_address("up0", f"{HOST6}/64")
    default_route(host, "up0", OUTSIDE6)
    for gateway in (HOST, HOST6):
        default_route(outside, "eth0", gateway)
    for name in ("front", "back", "closed"):
        await networks.create(NetworkCreate(name=name, enable_ipv6=True, internal=name == "closed"))
    publish = (
        PortRequest(container_port=80, first=8080, last=8080),
        PortRequest(container_port=53, protocol="udp", first=8053, last=8053),
    )
    front = await run("front", "front", ports=publish)
    a, b, c = await run("a", "front"), await run("b", "back"), await run("c", "closed")
    mate = await run("mate", "closed")
    for place in (front.space, b.space, c.space, mate.space, outside):
        serve(place)

    def own(cage: Cage, network: str) -> tuple[str, str, int, int]:
        return cage.address(network), cage.address6(network), 80, 53

    return World(
        places={"a": a.space, "b": b.space, "c": c.space, "outside": outside, "host": host},
        addresses={
            "front": own(front, "front"),
            "published": (HOST, HOST6, 8080, 8053),
            "loopback": ("127.0.0.1", "::1", 8080, 8053),
            "unpublished": (HOST, HOST6, 81, 54),
            "back": own(b, "back"),
            "closed": own(c, "closed"),
            "closed mate": own(mate, "closed"),
            "beyond": (OUTSIDE, OUTSIDE6, 80, 53),
        },
        cages=[front, a, b, c, mate],
    )


def ports_led_on(host: Namespace) -> int:
    """How many published ports the rules know; they are put in last."""
    try:
        return len(host.nftables(lambda tables: tables.elements("knarr", "ports6")))
    except OSError:
        return 0


async def test_the_whole_table_holds_fresh_after_a_flush_and_after_a_restart(
    host: Namespace, networks: NetworkService, db: Database, run: Runner, sockets: CageSockets,
    world: World,
) -> None:  # fmt: skip
    assert await asyncio.to_thread(world.reached) == REACH
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    await eventually(lambda: ports_led_on(host) == 2)
    assert await asyncio.to_thread(world.reached) == REACH
    networks._watch.close()
    networks._ports.close()  # as the end of a process does
    without = {**REACH, ("host", "loopback"): frozenset({"tcp4", "udp4"})}
    assert await asyncio.to_thread(world.reached) == without  # nobody is needed for these
    again = NetworkService(db, "/run/knarr", NetworkSettings(linger_seconds=0.05), sockets=sockets)
    await again.start({cage.id for cage in world.cages})
    run.follow(again)
    assert await asyncio.to_thread(world.reached) == REACH
    await again.close()
    run.follow(networks)


@pytest.fixture
def docker(host: Namespace, tmp_path: Path) -> Iterator[list[str]]:
    """Docker on the same host, with a container of its own that publishes a port; its CLI."""
    (tmp_path / "busybox.tar").write_bytes(images.busybox())
    cli = ["docker", "-H", f"unix://{tmp_path}/docker.sock"]
    group = f"/kn-beside-{os.getpid()}"
    argv = [
        "dockerd", *cli[1:], "--data-root", f"{tmp_path}/data", "--exec-root", f"{tmp_path}/exec",
        "--pidfile", f"{tmp_path}/pid", "--cgroup-parent", group, "--bip", "10.99.0.1/24",
    ]  # fmt: skip

    def asked(*words: str) -> int:
        return subprocess.run([*cli, *words], capture_output=True, check=False).returncode

    with running(*argv, log=tmp_path / "log"):
        until(lambda: asked("version") == 0, seconds=60)
        assert asked("load", "-i", f"{tmp_path}/busybox.tar") == 0
        serving = ("sh", "-c", "mkdir /w; echo docker > /w/index.html; exec httpd -f -h /w")
        assert asked("run", "-d", "--name", "web", "-p", "9080:80", "busybox", *serving) == 0
        yield cli
        asked("rm", "-f", "web")
    subprocess.run(["umount", "-l", f"{tmp_path}/exec/netns/default"], check=False)
    remove_group(group)


@pytest.mark.needs("docker", "dockerd")
async def test_the_whole_table_holds_with_docker_beside_whose_own_ports_stay_open(
    host: Namespace, outside: Namespace, docker: list[str], world: World
) -> None:
    await eventually(lambda: ports_led_on(host) == 2)
    assert await asyncio.to_thread(world.reached) == REACH
    for place, address in ((outside, HOST), (host, "127.0.0.1"), (world.places["b"], HOST)):
        assert fetched(place, address, 9080).endswith(b"docker\n")
    assert fetched(world.places["c"], HOST, 9080) == b""


def fetched(place: Namespace, address: str, port: int) -> bytes:
    try:
        with place.connect(address, port) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.makefile("rb").read()
    except OSError:
        return b""
