"""Networks of one's own: reach, isolation, both IP versions, on and off while running."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from knarr.errors import Conflict, Forbidden, NotFound
from knarr.kernel import netlink as rtnetlink
from knarr.network import EndpointRequest, NetworkService, PortRequest
from knarr.spec.docker.container import EndpointIPAMConfig, EndpointSettings
from knarr.spec.docker.network import IPAM, IPAMConfig, NetworkCreate
from support.cages import HOST, OUTSIDE, Cage, Runner
from support.netns import Namespace, default_route
from support.traffic import answers_udp, eventually, greet, greeting

pytestmark = pytest.mark.needs("namespaces")

OUTSIDE6 = "2001:db8::2"
HOST6 = "2001:db8::1"
TENTATIVE = 0x40


async def both(networks: NetworkService, name: str, **options: object) -> None:
    await networks.create(NetworkCreate(name=name, enable_ipv6=True, **options))  # type: ignore[arg-type]


def reaches_by_every_way(one: Cage, other: Cage, network: str) -> set[str]:
    """Which of TCP and UDP, IPv4 and IPv6, get from ``one`` to ``other``."""
    found = set()
    for version, address in (("4", other.address(network)), ("6", other.address6(network))):
        wild = "0.0.0.0" if version == "4" else "::"
        server = other.space.listen(wild, 80)
        if one.space.reaches(address, 80):
            found.add(f"tcp{version}")
        server.close()
        udp = other.space.udp(wild, 53)
        if answers_udp(udp, one.space.udp(wild, 0), address, 53):
            found.add(f"udp{version}")
        udp.close()
    return found


EVERY_WAY = {"tcp4", "udp4", "tcp6", "udp6"}


async def test_within_a_network_all_is_reached_and_between_networks_nothing(
    networks: NetworkService, run: Runner
) -> None:
    await both(networks, "front")
    await both(networks, "back")
    one, two, three = await run("one", "front"), await run("two", "front"), await run("x", "back")
    assert reaches_by_every_way(one, two, "front") == EVERY_WAY
    assert reaches_by_every_way(one, three, "back") == set()
    assert reaches_by_every_way(three, one, "front") == set()


async def test_an_internal_network_reaches_its_own_and_nothing_else(
    networks: NetworkService, outside: Namespace, run: Runner
) -> None:
    await both(networks, "closed", internal=True)
    await both(networks, "open")
    one, two, other = await run("1", "closed"), await run("2", "closed"), await run("3", "open")
    outside.listen("0.0.0.0", 80)
    assert reaches_by_every_way(one, two, "closed") == EVERY_WAY
    assert reaches_by_every_way(one, other, "open") == set()
    assert not one.space.reaches(OUTSIDE, 80)
    # nor when it sets a route by itself, as a privileged container could
    bridge = networks.inspect("closed").ipam
    assert bridge is not None
    gateway = bridge.config[0].gateway
    default_route(one.space, "eth0", gateway)
    assert not one.space.reaches(OUTSIDE, 80)
    assert reaches_by_every_way(one, other, "open") == set()


async def test_a_published_port_on_another_network_is_reached_by_the_hosts_address(
    networks: NetworkService, outside: Namespace, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="front"))
    await networks.create(NetworkCreate(name="back"))
    server = await run(
        "server", "front", ports=(PortRequest(container_port=80, first=8080, last=8080),)
    )
    client = await run("client", "back")
    greet(server.space.listen("0.0.0.0", 80))
    assert greeting(client.space.connect(HOST, 8080)) == b"hello"
    assert not client.space.reaches(server.address("front"), 80)


async def test_ipv6_reaches_the_outside_and_is_published(
    host: Namespace, outside: Namespace, networks: NetworkService, run: Runner
) -> None:
    outside.add_address("eth0", f"{OUTSIDE6}/64")
    host.add_address("up0", f"{HOST6}/64")
    default_route(host, "up0", OUTSIDE6)
    await both(networks, "six")
    cage = await run("one", "six", ports=(PortRequest(container_port=80, first=8080, last=8080),))
    peers = greet(outside.listen("::", 81))
    assert greeting(cage.space.connect(OUTSIDE6, 81)) == b"hello"
    assert peers == [HOST6]
    greet(cage.space.listen("::", 80), times=4)
    for client, address in ((outside, HOST6), (outside, HOST), (host, HOST6), (host, "127.0.0.1")):
        assert greeting(client.connect(address, 8080)) == b"hello"
    assert sorted(b.host_ip for b in cage.plugged.ports["80/tcp"]) == ["0.0.0.0", "::"]


async def test_a_bridge_asks_for_ipv6_neighbours_as_soon_as_it_is_up(
    host: Namespace, networks: NetworkService, run: Runner
) -> None:
    await both(networks, "six", options={"com.docker.network.bridge.name": "kn-six"})
    await run("one", "six")
    await eventually(lambda: link_local_flags("kn-six") != 0)
    assert not link_local_flags("kn-six") & TENTATIVE


def link_local_flags(link: str) -> int:
    """The state of a link's own IPv6 address (IFA_F_*); 0 before it has one."""
    for line in Path("/proc/thread-self/net/if_inet6").read_text().splitlines():
        address, _, _, _, flags, name = line.split()
        if name == link and address.startswith("fe80"):
            return int(flags, 16)
    return 0


async def test_containers_without_icc_reach_the_outside_but_not_each_other(
    networks: NetworkService, outside: Namespace, run: Runner
) -> None:
    await both(networks, "apart", options={"com.docker.network.bridge.enable_icc": "false"})
    one, two = await run("one", "apart"), await run("two", "apart")
    assert reaches_by_every_way(one, two, "apart") == set()
    outside.listen("0.0.0.0", 80)
    assert one.space.reaches(OUTSIDE, 80)
    # nor by way of the router, with routes that a container may have set itself
    for cage, other in ((one, two), (two, one)):
        for own, gateway in ((other.address("apart"), 4), (other.address6("apart"), 6)):
            route = rtnetlink.set_route(
                ip_network(own),
                link=cage.space.index("eth0"),
                gateway=ip_address(cage.space.gateway(gateway)),
            )
            cage.space.act(route)
    assert reaches_by_every_way(one, two, "apart") == set()


async def test_addresses_are_as_asked_for(networks: NetworkService, run: Runner) -> None:
    config = IPAMConfig(
        subnet="10.7.0.0/16",
        ip_range="10.7.8.0/24",
        gateway="10.7.0.254",
        auxiliary_addresses={"router": "10.7.8.0"},
    )
    created = await networks.create(NetworkCreate(name="net", ipam=IPAM(config=(config,))))
    assert networks.resolve(created.id[:12]).name == "net"
    any_, fixed = (
        await run("any", "net"),
        await run(
            "fixed",
            EndpointRequest(
                network="net",
                settings=EndpointSettings(
                    ipam_config=EndpointIPAMConfig(ipv4_address="10.7.1.1"),
                    mac_address="02-42-00-00-00-99",
                ),
            ),
        ),
    )
    assert any_.address("net") == "10.7.8.1"
    settings = fixed.plugged.networks["net"]
    assert (settings.ip_address, settings.gateway) == ("10.7.1.1", "10.7.0.254")
    assert settings.mac_address == "02:42:00:00:00:99"
    assert fixed.space.mac("eth0") == "02:42:00:00:00:99"
    assert any_.space.reaches("10.7.1.1", 9) is False
    fixed.space.listen("0.0.0.0", 9)
    assert any_.space.reaches("10.7.1.1", 9)
    with pytest.raises(Forbidden, match="Address already in use"):
        await run(
            "twice",
            EndpointRequest(
                network="net",
                settings=EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address="10.7.1.1")),
            ),
        )


async def test_a_running_container_joins_and_leaves(
    networks: NetworkService, outside: Namespace, run: Runner
) -> None:
    await both(networks, "front")
    await both(networks, "back")
    publish = (PortRequest(container_port=80, first=8080, last=8080),)
    cage, mate = await run("cage", "front", ports=publish), await run("mate", "back")
    await networks.connect(cage.member, cage.space, EndpointRequest(network="back"))
    cage.plugged = networks.plugged(cage.id)
    assert list(cage.plugged.networks) == ["front", "back"]
    assert cage.space.links() >= {"eth0", "eth1"}
    assert reaches_by_every_way(mate, cage, "back") == EVERY_WAY
    with pytest.raises(Forbidden, match="endpoint with name cage already exists in network back"):
        await networks.connect(cage.member, cage.space, EndpointRequest(network="back"))

    await networks.disconnect(cage.member, cage.space, "front")
    assert "eth0" not in cage.space.links()
    outside.listen("0.0.0.0", 80)
    assert cage.space.reaches(OUTSIDE, 80)  # by the gateway of the network that is left
    greet(cage.space.listen("0.0.0.0", 80))
    assert greeting(outside.connect(HOST, 8080)) == b"hello"  # where the port leads now, too
    await networks.disconnect(cage.member, cage.space, "back")
    assert networks.plugged(cage.id).networks == {}
    assert not cage.space.reaches(OUTSIDE, 80)


async def test_the_default_route_follows_priority_then_name(
    networks: NetworkService, run: Runner
) -> None:
    for name in ("alpha", "beta"):
        await networks.create(NetworkCreate(name=name))
    by_name = await run("one", "beta", "alpha")
    assert by_name.space.gateway() == by_name.plugged.networks["alpha"].gateway
    preferred = EndpointRequest(network="beta", settings=EndpointSettings(gw_priority=1))
    chosen = await run("two", preferred, "alpha")
    assert chosen.space.gateway() == chosen.plugged.networks["beta"].gateway


async def test_what_cannot_be_is_refused_in_dockers_words(
    networks: NetworkService, run: Runner
) -> None:
    subnet = IPAM(config=(IPAMConfig(subnet="10.9.0.0/24"),))
    await networks.create(NetworkCreate(name="net", ipam=subnet))
    with pytest.raises(Conflict, match="network with name net already exists"):
        await networks.create(NetworkCreate(name="net"))
    with pytest.raises(Forbidden, match="Pool overlaps with other one on this address space"):
        await networks.create(NetworkCreate(name="other", ipam=subnet))
    with pytest.raises(Forbidden, match="bridge is a pre-defined network and cannot be removed"):
        await networks.remove("bridge")
    with pytest.raises(NotFound, match="network nowhere not found"):
        networks.resolve("nowhere")
    cage = await run("cage", "net")
    with pytest.raises(Forbidden, match="error while removing network: network net id"):
        await networks.remove("net")
    with pytest.raises(NotFound):
        await run("lost", "net", "nowhere")
    await networks.unplug(cage.id)
    await networks.remove("net")


async def test_a_failed_plug_leaves_nothing(
    host: Namespace, networks: NetworkService, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="net"))
    before = host.links()
    taken = host.listen("0.0.0.0", 8080)
    publish = PortRequest(container_port=80, first=8080, last=8080)
    with pytest.raises(Exception, match="address already in use"):
        await run("cage", "net", ports=(PortRequest(container_port=81), publish))
    taken.close()
    assert host.links() == before
    cage = await run("again", "net", ports=(publish,))
    assert cage.address("net").endswith(".0.2")


async def test_host_gateway_is_an_address_that_reaches_the_host(
    host: Namespace, networks: NetworkService, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="net"))
    cage, other = await run("cage", "net"), await run("other")
    host.listen("0.0.0.0", 7000)
    for each in (cage, other):
        (address,) = networks.host_gateways(each.id)
        assert each.space.reaches(address, 7000)


async def test_link_local_addresses_are_given_besides(
    networks: NetworkService, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="net"))
    given = EndpointIPAMConfig(link_local_ips=("169.254.7.7",))
    settings = EndpointSettings(ipam_config=given)
    one = await run("one", EndpointRequest(network="net", settings=settings))
    one.space.listen("169.254.7.7", 80)


async def test_prune_removes_what_nobody_is_on(networks: NetworkService, run: Runner) -> None:
    for name in ("used", "unused", "kept"):
        labels = {"keep": "yes"} if name == "kept" else {}
        await networks.create(NetworkCreate(name=name, labels=labels))
    await run("cage", "used")
    pruned = await networks.prune({"label!": ["keep=yes"]})
    assert pruned.networks_deleted == ("unused",)
    names = {each.name for each in networks.list()}
    assert names == {"bridge", "host", "none", "used", "kept"}
    assert {e.name for e in networks.list({"type": ["custom"]})} == {"used", "kept"}
    assert {e.name for e in networks.list({"dangling": ["true"]})} == {"kept"}
