"""macvlan and ipvlan: containers on the wire of a link of the host."""

import pytest

from knarr.errors import Conflict, InvalidArgument, Unsupported
from knarr.kernel.netlink import add_ipvlan, remove_link
from knarr.network import NetworkService
from knarr.spec.docker.network import IPAM, IPAMConfig, NetworkCreate
from support.cages import OUTSIDE, Runner
from support.netns import Namespace
from support.traffic import greet, greeting

pytestmark = pytest.mark.needs("namespaces")
WIRE = IPAM(
    config=(IPAMConfig(subnet="203.0.113.0/24", ip_range="203.0.113.64/26", gateway=OUTSIDE),)
)


def on_wire(driver: str, **options: str) -> NetworkCreate:
    return NetworkCreate(name="wire", driver=driver, ipam=WIRE, options=options)


def has_ipvlan(namespace: Namespace) -> bool:
    try:
        namespace.act(add_ipvlan("try0", parent=namespace.index("eth0"), mode="l2"))
    except OSError:
        return False
    namespace.act(remove_link("try0"))
    return True


async def test_a_macvlan_container_is_a_machine_of_its_own_on_the_wire(
    host: Namespace, outside: Namespace, networks: NetworkService, run: Runner
) -> None:
    await networks.create(on_wire("macvlan", parent="up0"))
    before = host.links()
    one, two = await run("one", "wire"), await run("two", "wire")
    assert host.links() == before
    peers = greet(outside.listen("0.0.0.0", 80))
    assert greeting(one.space.connect(OUTSIDE, 80)) == b"hello"
    assert peers == [one.address("wire")] == ["203.0.113.64"]
    greet(one.space.listen("0.0.0.0", 81), times=2)
    assert greeting(two.space.connect(one.address("wire"), 81)) == b"hello"
    assert greeting(outside.connect(one.address("wire"), 81)) == b"hello"
    assert one.space.gateway() == OUTSIDE
    await networks.disconnect(one.member, one.space, "wire")
    assert "eth0" not in one.space.links()


async def test_without_a_parent_the_wire_leads_nowhere_and_goes_with_the_network(
    host: Namespace, networks: NetworkService, run: Runner
) -> None:
    before = host.links()
    await networks.create(NetworkCreate(name="nowhere", driver="macvlan", internal=True))
    one, two = await run("one", "nowhere"), await run("two", "nowhere")
    greet(one.space.listen("0.0.0.0", 81))
    assert greeting(two.space.connect(one.address("nowhere"), 81)) == b"hello"
    assert one.space.gateway() == ""
    for cage in (one, two):
        await networks.unplug(cage.id)
    await networks.remove("nowhere")
    assert host.links() == before


async def test_ipvlan_works_or_the_kernel_is_named_as_the_reason(
    outside: Namespace, networks: NetworkService, run: Runner
) -> None:
    wish = on_wire("ipvlan", parent="up0", ipvlan_mode="l2")
    if not has_ipvlan(outside):
        with pytest.raises(Unsupported, match="Unknown device type"):
            await networks.create(wish)
        assert {each.name for each in networks.list()} == {"bridge", "host", "none"}
        return
    await networks.create(wish)
    one = await run("one", "wire")
    greet(outside.listen("0.0.0.0", 80))
    assert greeting(one.space.connect(OUTSIDE, 80)) == b"hello"


async def test_what_cannot_be_a_parent_is_refused(
    outside: Namespace, networks: NetworkService
) -> None:
    with pytest.raises(InvalidArgument, match="loopback interface is not a valid macvlan parent"):
        await networks.create(on_wire("macvlan", parent="lo"))
    with pytest.raises(InvalidArgument, match="requested macvlan mode 'odd' is not valid"):
        await networks.create(on_wire("macvlan", parent="up0", macvlan_mode="odd"))
    with pytest.raises(Exception, match="there is no link nothere"):
        await networks.create(on_wire("macvlan", parent="nothere"))
    await networks.create(on_wire("macvlan", parent="up0"))
    other = NetworkCreate(name="other", driver="macvlan", options={"parent": "up0"})
    with pytest.raises(Conflict, match="network wire is already using parent interface up0"):
        await networks.create(other)
