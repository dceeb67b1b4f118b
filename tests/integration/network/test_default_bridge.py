"""The default bridge, with real traffic."""

import asyncio
import socket
import struct

import pytest

from knarr.errors import KnarrError
from knarr.kernel.nftables import NfTables, remove_table
from knarr.network import NetworkService, NetworkSettings, PortRequest
from knarr.store import Database
from support.cages import HOST, OUTSIDE, Runner
from support.netns import Namespace
from support.traffic import answers_udp, eventually, greet, greeting

pytestmark = pytest.mark.needs("namespaces")


async def test_two_containers_reach_each_other(run: Runner) -> None:
    one, two = await run("one"), await run("two")
    greet(one.space.listen("0.0.0.0", 80))
    assert greeting(two.space.connect(one.address(), 80)) == b"hello"


async def test_the_outside_sees_the_host_in_the_containers_place(
    outside: Namespace, run: Runner
) -> None:
    cage = await run("one")
    peers = greet(outside.listen("0.0.0.0", 80))
    assert greeting(cage.space.connect(OUTSIDE, 80)) == b"hello"
    assert peers == [HOST]


async def test_a_published_port_is_reached_from_everywhere(
    host: Namespace, outside: Namespace, run: Runner
) -> None:
    cage = await run("one", ports=(PortRequest(container_port=80, first=8080, last=8080),))
    other = await run("two")
    peers = greet(cage.space.listen("0.0.0.0", 80), times=6)
    assert greeting(outside.connect(HOST, 8080)) == b"hello"  # from another machine
    assert peers == [OUTSIDE]  # which keeps its address
    assert greeting(host.connect(HOST, 8080)) == b"hello"  # from the host by its address
    assert greeting(host.connect("127.0.0.1", 8080)) == b"hello"  # and by loopback
    assert greeting(other.space.connect(HOST, 8080)) == b"hello"  # from a neighbour
    assert greeting(cage.space.connect(HOST, 8080)) == b"hello"  # from itself
    assert greeting(cage.space.connect("172.17.0.1", 8080)) == b"hello"


async def test_the_hosts_addresses_never_meet_at_one_source_port(
    host: Namespace, run: Runner
) -> None:
    """Else the container, which remembers the one, refuses the first packet of the other."""
    cage = await run("one", ports=(PortRequest(container_port=80, first=8080, last=8080),))
    server = cage.space.listen("0.0.0.0", 80)

    def port_seen(source: str) -> int:
        client = host.open_socket()
        client.bind((source, 40_000))
        client.connect((source, 8080))
        peer, (_, port) = server.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # at once, so that the port is free again
        peer.close()
        return int(port)

    assert port_seen("172.17.0.1") == 40_000
    for _ in range(5):
        assert 1024 <= port_seen("127.0.0.1") < 32768


async def test_a_published_udp_port_answers(
    host: Namespace, outside: Namespace, run: Runner
) -> None:
    wish = PortRequest(container_port=53, protocol="udp", first=5353, last=5353)
    cage = await run("one", ports=(wish,))
    server = cage.space.udp("0.0.0.0", 53)
    for client, address in (
        (outside.udp("0.0.0.0", 0), HOST),
        (host.udp("0.0.0.0", 0), "127.0.0.1"),
        (host.udp("0.0.0.0", 0), HOST),
    ):
        assert answers_udp(server, client, address, 5353)


async def test_a_udp_flow_from_before_is_led_to_the_container_and_then_to_the_next(
    outside: Namespace, networks: NetworkService, run: Runner
) -> None:
    client = outside.udp("0.0.0.0", 0)
    client.sendto(b"early", (HOST, 5353))  # the kernel remembers: to the host itself
    wish = PortRequest(container_port=53, protocol="udp", first=5353, last=5353)
    first = await run("first", ports=(wish,))
    assert answers_udp(first.space.udp("0.0.0.0", 53), client, HOST, 5353)
    mate = await run("mate")  # so that the next one has another address
    await networks.unplug(first.id)
    await run("filler")
    second = await run("second", ports=(wish,))
    assert second.address() not in {first.address(), mate.address()}
    assert answers_udp(second.space.udp("0.0.0.0", 53), client, HOST, 5353)


async def test_a_port_that_is_not_published_is_not_reached(
    host: Namespace, outside: Namespace, run: Runner
) -> None:
    cage = await run("one", ports=(PortRequest(container_port=80, first=8080, last=8080),))
    greet(cage.space.listen("0.0.0.0", 81))
    outside.act()
    assert not outside.reaches(HOST, 81)
    assert host.reaches(cage.address(), 81)


async def test_a_container_reaches_nothing_on_the_hosts_loopback(
    host: Namespace, run: Runner
) -> None:
    cage = await run("one")
    host.listen("127.0.0.1", 9000)
    assert not cage.space.reaches("172.17.0.1", 9000)


async def test_a_run_of_ports_is_one_element_and_works(
    networks: NetworkService, outside: Namespace, run: Runner
) -> None:
    wishes = tuple(
        PortRequest(container_port=port, first=port, last=port) for port in range(20000, 20100)
    )
    cage = await run("one", ports=wishes)
    greet(cage.space.listen("0.0.0.0", 20042))
    assert greeting(outside.connect(HOST, 20042)) == b"hello"
    assert len(cage.plugged.ports) == 100


async def test_a_port_is_refused_with_the_name_of_who_has_it(host: Namespace, run: Runner) -> None:
    wish = PortRequest(container_port=80, first=8080, last=8080)
    await run("one", ports=(wish,))
    words = r"Bind for 0\.0\.0\.0:8080 failed: port is already allocated \(held by container one\)"
    with pytest.raises(KnarrError, match=words):
        await run("two", ports=(wish,))
    foreign = host.listen("0.0.0.0", 8081)
    wish = PortRequest(container_port=80, first=8081, last=8081)
    with pytest.raises(
        KnarrError, match=r"listen tcp4 0\.0\.0\.0:8081: bind: address already in use \(held by"
    ):
        await run("three", ports=(wish,))
    foreign.close()
    with pytest.raises(OSError, match="in use"):  # nor can others take what a container has
        host.listen("0.0.0.0", 8080)


async def test_nothing_is_left_when_the_last_container_goes(
    host: Namespace, networks: NetworkService, db: Database, run: Runner
) -> None:
    before = host.links()
    cage = await run("one", ports=(PortRequest(container_port=80, first=8080, last=8080),))
    assert "knarr0" in host.links()
    assert host.nftables(NfTables.tables) == [(1, "knarr")]
    await networks.unplug(cage.id)
    await eventually(lambda: host.links() == before)
    await eventually(lambda: host.nftables(NfTables.tables) == [])
    assert db.query("SELECT * FROM endpoints") == db.query("SELECT * FROM published_ports") == []
    host.listen("0.0.0.0", 8080).close()


async def test_containers_stay_plugged_in_over_a_restart_and_leftovers_go(
    host: Namespace, outside: Namespace, db: Database
) -> None:
    first = NetworkService(db, "/run/knarr")
    await first.start()
    run = Runner(first)
    kept = await run("kept", ports=(PortRequest(container_port=80, first=8080, last=8080),))
    lost = await run("lost")
    lost_link = first._registry.of(lost.id)[0].link
    host.nftables(lambda tables: tables.commit([remove_table("knarr")]))  # nft flush ruleset

    second = NetworkService(db, "/run/knarr")
    await first.close()
    await second.start(alive={kept.id})
    assert lost_link not in host.links()
    greet(kept.space.listen("0.0.0.0", 80))
    assert greeting(outside.connect(HOST, 8080)) == b"hello"
    with pytest.raises(OSError, match="in use"):
        host.listen("0.0.0.0", 8080)
    assert second.plugged(kept.id) == kept.plugged
    assert second.plugged(lost.id).networks == {}
    run.follow(second)
    newcomer = await run("new")
    assert newcomer.address() == lost.address()
    await run.close()
    await second.close()


async def test_ipv6_loopback_leads_to_a_container_that_has_ipv4_alone(
    host: Namespace, networks: NetworkService, run: Runner
) -> None:
    cage = await run("one", ports=(PortRequest(container_port=80, first=8080, last=8080),))
    server = cage.space.listen("0.0.0.0", 80)
    server.setblocking(False)
    loop = asyncio.get_running_loop()
    client = await asyncio.to_thread(host.connect, "::1", 8080)
    client.setblocking(False)
    big = b"x" * 3_000_000  # more than all buffers hold
    sending = asyncio.create_task(_sent(client, big))
    inside, _ = await loop.sock_accept(server)
    assert await _received(inside) == big
    await sending
    await _sent(inside, b"answer")
    assert await _received(client) == b"answer"  # though it said that it has no more
    inside.close()
    await networks.unplug(cage.id)
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(host.connect, "::1", 8080)
    host.listen("::", 8080).close()


async def _sent(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)
    sock.shutdown(socket.SHUT_WR)


async def _received(sock: socket.socket) -> bytes:
    """Until the other side has no more."""
    pieces = bytearray()
    while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
        pieces += piece
    return bytes(pieces)


async def test_one_setting_keeps_published_ports_to_this_machine(
    host: Namespace, outside: Namespace, db: Database
) -> None:
    service = NetworkService(db, "/run/knarr", NetworkSettings(bind_address="127.0.0.1"))
    await service.start()
    run = Runner(service)
    open_ = PortRequest(container_port=81, host_ip="0.0.0.0", first=8081, last=8081)
    cage = await run("one", ports=(PortRequest(container_port=80, first=8080, last=8080), open_))
    assert [each.host_ip for each in cage.plugged.ports["80/tcp"]] == ["127.0.0.1"]
    for port in (80, 81):
        greet(cage.space.listen("0.0.0.0", port), times=2 if port == 80 else 1)
    assert greeting(host.connect("127.0.0.1", 8080)) == b"hello"
    assert await asyncio.to_thread(lambda: greeting(host.connect("::1", 8080))) == b"hello"
    assert not outside.reaches(HOST, 8080)
    assert greeting(outside.connect(HOST, 8081)) == b"hello"  # unless a port says otherwise
    await run.close()
    await service.close()
