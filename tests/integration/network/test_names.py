"""The nameserver inside containers, asked over real sockets."""

import asyncio
import socket
import struct
import threading

import pytest
from dnslib import RCODE, RR, DNSRecord

from knarr.network import EndpointRequest, Member, NetworkService
from knarr.spec.docker.container import EndpointSettings
from knarr.spec.docker.network import NetworkCreate
from knarr.store import Database
from support.cages import Cage, CageSockets, Runner
from support.netns import Namespace

pytestmark = pytest.mark.needs("namespaces")


def ask(cage: Cage, name: str, kind: str = "A") -> DNSRecord:
    sock = cage.space.open_socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.sendto(bytes(DNSRecord.question(name, kind).pack()), ("127.0.0.11", 53))
    message, source = sock.recvfrom(65_535)
    assert source == ("127.0.0.11", 53)
    return DNSRecord.parse(message)


async def addresses(cage: Cage, name: str, kind: str = "A") -> set[str]:
    reply = await asyncio.to_thread(ask, cage, name, kind)
    return {str(each.rdata) for each in reply.rr}


async def test_containers_find_each_other_as_soon_as_they_run_and_no_longer(
    networks: NetworkService, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="net", enable_ipv6=True))
    one = await run("one", "net")
    assert await addresses(one, "two") == set()
    aliased = EndpointRequest(network="net", settings=EndpointSettings(aliases=("pair",)))
    two = await run("two", aliased)
    three = await run("three", aliased)
    assert await addresses(one, "two") == {two.address("net")}
    assert await addresses(one, two.id[:12]) == {two.address("net")}
    assert await addresses(one, "two", "AAAA") == {two.address6("net")}
    assert await addresses(one, "pair") == {two.address("net"), three.address("net")}
    reverse = ".".join(reversed(two.address("net").split("."))) + ".in-addr.arpa"
    assert await addresses(one, reverse, "PTR") == {"two.net."}
    await networks.rename(two.id, "deux")
    assert await addresses(one, "deux") == {two.address("net")}
    assert await addresses(one, "two") == set()
    await networks.unplug(two.id)
    assert await addresses(one, "pair") == {three.address("net")}


async def test_a_question_by_tcp_is_answered_too(networks: NetworkService, run: Runner) -> None:
    await networks.create(NetworkCreate(name="net"))
    one = await run("one", "net")

    def talk() -> DNSRecord:
        sock = one.space.connect("127.0.0.11", 53)
        wire = bytes(DNSRecord.question("one").pack())
        sock.sendall(struct.pack(">H", len(wire)) + wire)
        file = sock.makefile("rb")
        (length,) = struct.unpack(">H", file.read(2))
        return DNSRecord.parse(file.read(length))

    reply = await asyncio.to_thread(talk)
    assert str(reply.rr[0].rdata) == one.address("net")


async def test_a_container_may_be_a_nameserver_itself(
    networks: NetworkService, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="net"))
    one = await run("one", "net")
    one.space.udp("0.0.0.0", 53)
    one.space.listen("0.0.0.0", 53)
    assert await addresses(one, "one") == {one.address("net")}


class Upstream:
    """A nameserver on the host that knows one name, and counts what it is asked."""

    def __init__(self, host: Namespace, address: str) -> None:
        self.questions: list[str] = []
        self._sock = host.udp(address, 53)
        self._sock.settimeout(None)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                message, peer = self._sock.recvfrom(65_535)
            except OSError:
                return
            record = DNSRecord.parse(message)
            self.questions.append(str(record.q.qname))
            reply = record.reply()
            if record.q.qname == "www.example.org":
                reply.add_answer(*RR.fromZone("www.example.org 60 IN A 192.0.2.80"))
            else:
                reply.header.rcode = RCODE.NXDOMAIN
            self._sock.sendto(bytes(reply.pack()), peer)


async def test_all_else_is_asked_of_the_given_servers_once(
    host: Namespace, networks: NetworkService, sockets: CageSockets
) -> None:
    upstream = Upstream(host, "127.0.0.77")
    await networks.create(NetworkCreate(name="net"))
    cage = Cage("one")
    cage.member = Member(id=cage.id, name="one", dns_servers=("127.0.0.78", "127.0.0.77"))
    sockets.spaces[cage.id] = cage.space
    await networks.plug(cage.member, cage.space, [EndpointRequest(network="net")])
    for _ in range(3):
        assert await addresses(cage, "www.example.org") == {"192.0.2.80"}
    reply = await asyncio.to_thread(ask, cage, "nowhere.example.org")
    assert reply.header.rcode == RCODE.NXDOMAIN
    reply = await asyncio.to_thread(ask, cage, "single")
    assert reply.header.rcode == RCODE.NXDOMAIN
    assert upstream.questions == ["www.example.org.", "nowhere.example.org."]
    await networks.unplug(cage.id)
    cage.space.close()


async def test_names_are_served_again_after_a_restart(
    host: Namespace, db: Database, sockets: CageSockets
) -> None:
    first = NetworkService(db, "/run/knarr", sockets=sockets)
    await first.start()
    run = Runner(first, sockets)
    await first.create(NetworkCreate(name="net"))
    one, two = await run("one", "net"), await run("two", "net")
    await first.close()
    second = NetworkService(db, "/run/knarr", sockets=sockets)
    run.follow(second)
    await second.start(alive={one.id, two.id})
    assert await addresses(one, "two") == {two.address("net")}
    await run.close()
    await second.close()
