"""Nothing is left: not a link, an address, an element, a name, a socket."""

import asyncio
import os
import random

import pytest

from knarr.kernel.nftables import NfTables
from knarr.network import EndpointRequest, NetworkService, PortRequest
from knarr.network.ruleset import PORTS4, RANGES4
from knarr.spec.docker.network import NetworkCreate
from support.cages import Cage, CageSockets, Runner
from support.netns import Namespace
from support.traffic import eventually

pytestmark = pytest.mark.needs("namespaces")


async def storm(
    networks: NetworkService, run: Runner, *, containers: int, names: list[str], seed: int
) -> None:
    """Containers come, go, and are killed half-way of their start, in random order."""
    chance = random.Random(seed)
    alive: list[Cage] = []
    for number in range(containers):
        on = chance.sample(names, chance.randint(1, 3))
        ports = tuple(
            PortRequest(container_port=port) for port in range(80, 80 + chance.randint(0, 3))
        )
        starting = asyncio.ensure_future(run(f"c{number}", *on, ports=ports))
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 0.003)
            starting.cancel()
        try:
            alive.append(await starting)
        except asyncio.CancelledError:
            await networks.unplug(run.cages[-1].id)
        while len(alive) > 20 or (alive and chance.random() < 0.3):
            leaving = alive.pop(chance.randrange(len(alive)))
            await networks.unplug(leaving.id)
            leaving.space.close()
            run.cages.remove(leaving)
    for cage in alive:
        await networks.unplug(cage.id)


async def check_nothing_is_left(
    host: Namespace, networks: NetworkService, run: Runner, names: list[str], capacity: int
) -> None:
    await eventually(lambda: not any(name.startswith("kv") for name in host.links()))
    for set_ in (PORTS4, RANGES4):
        assert host.nftables(lambda tables, s=set_: tables.elements("knarr", s.name)) == []  # type: ignore[misc]
    for table in ("endpoints", "published_ports", "network_members"):
        assert networks._db.query(f"SELECT * FROM {table}") == []
    directory = networks._registry.directory
    assert all(names_ == {} for names_ in directory._names.values())
    assert all(known == {} for known in directory._addresses.values())
    assert networks._nameserver._served == {}
    for name in names:
        network = networks.resolve(name)
        assert networks.inspect(name).containers == {}
        taken = [
            networks._registry.draft([EndpointRequest(network=name)])[0].addresses[0]
            for _ in range(capacity)
        ]
        assert len(set(taken)) == capacity
        assert network.subnets[0].range.num_addresses - 3 == capacity


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_a_storm_of_starts_and_ends_nothing_is_left(
    host: Namespace, networks: NetworkService, run: Runner, sockets: CageSockets, seed: int
) -> None:
    await _storm(host, networks, run, sockets, containers=40, count=4, seed=seed)


@pytest.mark.long
async def test_after_five_hundred_containers_on_twenty_networks_nothing_is_left(
    host: Namespace, networks: NetworkService, run: Runner, sockets: CageSockets
) -> None:
    await _storm(host, networks, run, sockets, containers=500, count=20, seed=3)


async def _storm(
    host: Namespace,
    networks: NetworkService,
    run: Runner,
    sockets: CageSockets,
    *,
    containers: int,
    count: int,
    seed: int,
) -> None:
    from knarr.spec.docker.network import IPAM, IPAMConfig

    names = [f"net{number}" for number in range(count)]
    for number, name in enumerate(names):
        ipam = IPAM(config=(IPAMConfig(subnet=f"10.9.{number}.0/26"),))
        await networks.create(NetworkCreate(name=name, ipam=ipam))
    warm = await run("warm", names[0])
    await networks.unplug(warm.id)
    warm.space.close()
    run.cages.remove(warm)
    before = len(os.listdir("/proc/self/fd"))
    await storm(networks, run, containers=containers, names=names, seed=seed)
    for cage in run.cages:
        cage.space.close()
    run.cages.clear()
    await check_nothing_is_left(host, networks, run, names, capacity=61)
    for name in names:
        await networks.remove(name)
    await eventually(lambda: not any(link.startswith("kb") for link in host.links()))
    await eventually(lambda: host.nftables(NfTables.tables) == [])
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before + 2)
