"""Legacy links on a default bridge that keeps its containers apart, with real traffic."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

import pytest

from knarr.kernel.nftables import NfTables, remove_table
from knarr.network import EndpointRequest, Link, NetworkService, NetworkSettings
from knarr.network.ruleset import LINKED4
from knarr.store import Database
from support.cages import Cage, CageSockets, Runner
from support.netns import Namespace
from support.traffic import answers_udp, eventually

BRIDGE = EndpointRequest(network="bridge")

pytestmark = pytest.mark.needs("namespaces")


@dataclass
class Engine:
    """Networks that are begun anew while their containers run."""

    db: Database
    run: Runner
    sockets: CageSockets
    service: NetworkService

    @classmethod
    async def begun(cls, db: Database) -> Self:
        sockets = CageSockets()
        service = _service(db, sockets, icc=False)
        await service.start()
        return cls(db, Runner(service, sockets), sockets, service)

    async def anew(self, *links: Link, icc: bool = False) -> None:
        await self.service.close()
        self.service = _service(self.db, self.sockets, icc=icc)
        await self.service.start([each.id for each in self.run.cages], links)
        self.run.follow(self.service)


def _service(db: Database, sockets: CageSockets, *, icc: bool) -> NetworkService:
    settings = NetworkSettings(icc=icc, linger_seconds=0.05)
    return NetworkService(db, "/run/knarr", settings, sockets=sockets)


@pytest.fixture
async def engine(host: Namespace, db: Database) -> AsyncIterator[Engine]:
    engine = await Engine.begun(db)
    yield engine
    await engine.run.close()
    await engine.service.close()


def link(one: Cage, other: Cage, *ports: tuple[int, str]) -> Link:
    return Link(container=one.id, target=other.id, ports=ports)


def serve(cage: Cage) -> socket.socket:
    """TCP at 80 and 81; the answer is a socket for UDP at 53."""
    for port in (80, 81):
        cage.space.listen("0.0.0.0", port)
    return cage.space.udp("0.0.0.0", 53)


def reached(one: Cage, other: Cage) -> set[int]:
    return {port for port in (80, 81) if one.space.reaches(other.address(), port)}


def reaches_udp(server: socket.socket, one: Cage, other: Cage) -> bool:
    return answers_udp(server, one.space.udp("0.0.0.0", 0), other.address(), 53)


async def test_a_link_opens_what_the_other_exposes_and_nothing_else(engine: Engine) -> None:
    web, database, stranger = [await engine.run(name) for name in ("web", "database", "stranger")]
    named, back = serve(database), serve(web)
    assert reached(web, database) == set()
    await engine.service.link(web.id, [link(web, database, (80, "tcp"), (53, "udp"))])
    assert reached(web, database) == {80}
    assert reaches_udp(named, web, database)
    assert reached(database, web) == set()
    assert not reaches_udp(back, database, web)
    assert reached(stranger, database) == set()
    assert not reaches_udp(named, stranger, database)


async def test_links_outlive_the_daemon_and_a_flush_of_all_rules(
    host: Namespace, engine: Engine
) -> None:
    web, database = await engine.run("web"), await engine.run("database")
    serve(database)
    opened = link(web, database, (80, "tcp"))
    await engine.service.link(web.id, [opened])
    host.nftables(lambda tables: tables.commit([remove_table("knarr")]))
    await eventually(lambda: elements(host) == 1)
    assert reached(web, database) == {80}
    await engine.anew(opened)
    assert reached(web, database) == {80}
    await engine.service.unplug(web.id)
    assert elements(host) == 0


def elements(host: Namespace) -> int:
    def count(tables: NfTables) -> int:
        return len(tables.elements("knarr", LINKED4.name))

    return host.nftables(count)


async def test_a_link_follows_the_other_to_its_next_address(
    host: Namespace, engine: Engine
) -> None:
    web, database = await engine.run("web"), await engine.run("database")
    await engine.service.link(web.id, [link(web, database, (80, "tcp"))])
    await engine.service.unplug(database.id)
    assert elements(host) == 0
    heir = await engine.run("heir")  # the address may be its own now
    serve(heir)
    assert reached(web, heir) == set()
    database.plugged = await engine.service.plug(database.member, database.space, [BRIDGE])
    serve(database)
    assert reached(web, database) == {80}
    assert reached(web, heir) == set()


async def test_another_setting_holds_for_what_runs_already(host: Namespace, engine: Engine) -> None:
    web, database = await engine.run("web"), await engine.run("database")
    serve(database)
    opened = link(web, database, (80, "tcp"))
    assert reached(web, database) == set()
    await engine.anew(opened, icc=True)
    assert elements(host) == 0
    assert reached(web, database) == {80, 81}
    await engine.anew()
    assert reached(web, database) == set()
