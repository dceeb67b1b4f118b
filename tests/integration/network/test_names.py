"""The nameserver inside containers, asked over real sockets."""

import asyncio
import socket
import struct
import threading
from ipaddress import ip_address
from pathlib import Path

import pytest
from dnslib import EDNS0, RCODE, RR, DNSRecord

from knarr.network import EndpointRequest, Member, NetworkService
from knarr.network.hostfiles import HostResolvConf
from knarr.spec.docker.container import EndpointSettings
from knarr.spec.docker.network import NetworkCreate
from knarr.store import Database
from support.cages import Cage, CageSockets, Runner
from support.netns import Namespace

pytestmark = pytest.mark.needs("namespaces")


def ask(cage: Cage, name: str, kind: str = "A", *, room: int = 0) -> DNSRecord:
    """room: how many bytes of an answer are taken by UDP (EDNS); 0 does not say."""
    question = DNSRecord.question(name, kind)
    if room:
        question.add_ar(EDNS0(udp_len=room))
    sock = cage.space.open_socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.sendto(bytes(question.pack()), ("127.0.0.11", 53))
    message, source = sock.recvfrom(65_535)
    assert source == ("127.0.0.11", 53)
    return DNSRecord.parse(message)


async def by_tcp(cage: Cage, name: str) -> DNSRecord:
    def talk() -> DNSRecord:
        sock = cage.space.connect("127.0.0.11", 53)
        wire = bytes(DNSRecord.question(name).pack())
        sock.sendall(struct.pack(">H", len(wire)) + wire)
        with sock.makefile("rb") as file:
            (length,) = struct.unpack(">H", file.read(2))
            return DNSRecord.parse(file.read(length))

    return await asyncio.to_thread(talk)


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

    reply = await by_tcp(one, "one")
    assert str(reply.rr[0].rdata) == one.address("net")


async def test_one_name_of_many_containers_has_all_of_them_however_it_is_asked(
    networks: NetworkService, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="net"))
    service = EndpointRequest(network="net", settings=EndpointSettings(aliases=("pool",)))
    pool = [await run(f"c{number}", service) for number in range(40)]
    every = {cage.address("net") for cage in pool}
    plain = await asyncio.to_thread(ask, pool[0], "pool")
    assert (plain.header.tc, plain.rr) == (1, [])  # 512 bytes have no room: ask by TCP
    orders = []
    for _ in range(3):
        by_edns = await asyncio.to_thread(ask, pool[0], "pool", room=4096)
        orders.append([str(each.rdata) for each in by_edns.rr])
        assert set(orders[-1]) == every
    assert len({tuple(order) for order in orders}) > 1  # rotated
    assert {str(each.rdata) for each in (await by_tcp(pool[0], "pool")).rr} == every


async def test_addresses_of_ipv6_have_names(networks: NetworkService, run: Runner) -> None:
    await networks.create(NetworkCreate(name="net", enable_ipv6=True))
    one = await run("one", "net")
    question = ip_address(one.address6("net")).reverse_pointer
    assert await addresses(one, question, "PTR") == {"one.net."}


async def test_what_the_hosts_stub_resolver_knows_is_known_inside(
    host: Namespace, db: Database, sockets: CageSockets, tmp_path: Path
) -> None:
    """systemd-resolved's stub is on the host's loopback, which containers do not reach."""
    upstream = Upstream(host, "127.0.0.53")
    stub, behind = tmp_path / "resolv.conf", tmp_path / "behind.conf"
    stub.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n")
    behind.write_text("nameserver 192.0.2.53\nsearch lan\n")
    resolv_conf = HostResolvConf(str(stub), str(behind))
    service = NetworkService(db, "/run/knarr", sockets=sockets, resolv_conf=resolv_conf)
    await service.start()
    run = Runner(service, sockets)
    await service.create(NetworkCreate(name="net"))
    cage = await run("one", "net")
    assert await addresses(cage, "www.example.org") == {"192.0.2.80"}
    assert upstream.questions == ["www.example.org."]
    # Without a server of ours, on the default bridge, a container asks whom the stub stands for.
    assert resolv_conf.read().nameservers == ("192.0.2.53",)
    await run.close()
    await service.close()


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
