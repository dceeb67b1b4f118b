"""A host, an outside, and an engine's networks, all in namespaces of the test's own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from knarr.events import EventBus
from knarr.network import NetworkService, NetworkSettings
from knarr.store import Database
from support.cages import HOST, OUTSIDE, CageSockets, Runner
from support.netns import Namespace, default_route, playing_host, wire


@pytest.fixture
def host() -> Iterator[Namespace]:
    with playing_host() as namespace:
        yield namespace


@pytest.fixture
def outside(host: Namespace) -> Iterator[Namespace]:
    """A machine beyond the host's router; it knows no way to containers."""
    namespace = Namespace.new()
    wire(host, namespace, (f"{HOST}/24", f"{OUTSIDE}/24"), ("up0", "eth0"))
    default_route(host, "up0", OUTSIDE)
    yield namespace
    namespace.close()


@pytest.fixture
def db(tmp_path: object) -> Iterator[Database]:
    database = Database(f"{tmp_path}/knarr.db", EventBus())
    yield database
    database.close()


@pytest.fixture
def sockets() -> CageSockets:
    return CageSockets()


@pytest.fixture
async def networks(
    host: Namespace, db: Database, sockets: CageSockets
) -> AsyncIterator[NetworkService]:
    settings = NetworkSettings(linger_seconds=0.05)
    service = NetworkService(db, "/run/knarr", settings, sockets=sockets)
    await service.start()
    yield service
    await service.close()


@pytest.fixture
async def run(networks: NetworkService, sockets: CageSockets) -> AsyncIterator[Runner]:
    runner = Runner(networks, sockets)
    yield runner
    await runner.close()
