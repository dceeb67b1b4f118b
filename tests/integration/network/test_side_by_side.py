"""Several engines on one host, and what a crash leaves."""

from collections.abc import AsyncIterator

import pytest

from knarr.errors import Forbidden, KnarrError
from knarr.events import EventBus
from knarr.kernel import netlink
from knarr.kernel.nftables import NfTables
from knarr.network import NetworkService, NetworkSettings, PortRequest
from knarr.network.plan import Names
from knarr.spec.docker.network import IPAM, IPAMConfig, NetworkCreate
from knarr.store import Database
from support.cages import HOST, OUTSIDE, Runner
from support.netns import Namespace
from support.traffic import eventually, greet, greeting

pytestmark = pytest.mark.needs("namespaces")
PUBLISH = (PortRequest(container_port=80, first=8080, last=8080),)


@pytest.fixture
async def other(host: Namespace, tmp_path: object) -> AsyncIterator[NetworkService]:
    """A second engine, with roots of its own."""
    db = Database(f"{tmp_path}/other.db", EventBus())
    service = NetworkService(db, "/run/other", NetworkSettings(linger_seconds=0.05))
    await service.start()
    yield service
    await service.close()
    db.close()


async def test_two_engines_do_not_meet(
    host: Namespace,
    outside: Namespace,
    networks: NetworkService,
    other: NetworkService,
    run: Runner,
) -> None:
    theirs = Runner(other)
    one, two = await run("one", ports=PUBLISH), await theirs("two")
    assert one.address().rsplit(".", 2)[0] != two.address().rsplit(".", 2)[0]
    one.space.listen("0.0.0.0", 81)
    assert not two.space.reaches(one.address(), 81)
    with pytest.raises(KnarrError, match="address already in use"):
        await theirs("clash", ports=PUBLISH)
    greet(one.space.listen("0.0.0.0", 80), times=2)
    assert greeting(two.space.connect(HOST, 8080)) == b"hello"  # published is for everybody
    await theirs.close()
    await eventually(lambda: Names.of("/run/other").default_bridge not in host.links())
    await eventually(lambda: host.nftables(NfTables.tables) == [(1, "knarr")])
    assert greeting(outside.connect(HOST, 8080)) == b"hello"
    outside.listen("0.0.0.0", 90)
    assert one.space.reaches(OUTSIDE, 90)


async def test_the_default_bridge_moves_when_its_range_was_taken_meanwhile(
    host: Namespace, networks: NetworkService, run: Runner
) -> None:
    host.act(*netlink.add_wire("lan0", "lan1"))
    host.add_address("lan0", "172.17.5.1/24")
    cage = await run("one")
    assert cage.address() == "172.18.0.2"
    assert networks.inspect("bridge").ipam.config[0].subnet == "172.18.0.0/16"  # type: ignore[union-attr]


async def test_the_default_bridge_makes_room_for_a_range_that_somebody_asks_for(
    networks: NetworkService, run: Runner
) -> None:
    asked = NetworkCreate(name="net", ipam=IPAM(config=(IPAMConfig(subnet="172.17.0.0/16"),)))
    one = await run("one")
    with pytest.raises(Forbidden, match="Pool overlaps"):
        await networks.create(asked)
    await networks.unplug(one.id)
    await networks.create(asked)  # though its bridge is up for a while
    inside, outside_ = await run("inside", "net"), await run("outside")
    assert (inside.address("net"), outside_.address()) == ("172.17.0.2", "172.18.0.2")
    other = await run("other")
    other.space.listen("0.0.0.0", 80)
    assert outside_.space.reaches(other.address(), 80)
    assert not inside.space.reaches(other.address(), 80)


async def test_after_a_crash_leftovers_go_and_what_is_not_ours_stays(
    host: Namespace, db: Database, networks: NetworkService, run: Runner
) -> None:
    await networks.create(NetworkCreate(name="net"))
    await run("lost", "net", ports=PUBLISH)
    token = Names.of("/run/knarr").token
    host.act(*netlink.add_wire(f"kv{token}123456789", "stray1"))
    host.act(netlink.add_bridge("kbffff123456789", mac="02:42:00:00:00:09", mtu=1500))
    host.act(*netlink.add_wire("kvmine", "mine1"))

    again = NetworkService(db, "/run/knarr", NetworkSettings(linger_seconds=0.05))
    networks._ports.close()  # as the end of a process does
    await again.start(alive=set())
    links = {name for name in host.links() if name not in {"lo", "ifb0", "ifb1"}}
    net_bridge = next(name for name in links if name.startswith(f"kb{token}"))
    assert links == {net_bridge, "kbffff123456789", "kvmine", "mine1"}
    assert db.query("SELECT * FROM endpoints") == []
    host.listen("0.0.0.0", 8080).close()
    await again.close()
