"""Pushes, pulls, deletions and collections at the same time: nothing wanted is ever lost.

Once on a registry of its own, and once on one that shares its store with an engine's images, whose
removals collect too. What nobody wants any more is gone in the end, to the last file.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration.registry.conftest import Desk
from knarr.content import BlobStore
from knarr.content.rows import all_blobs
from knarr.errors import KnarrError, NotFound
from knarr.events import EventBus
from knarr.ids import Digest
from knarr.image import Exchange
from knarr.reference import Reference
from knarr.registry.cancellation import Cancellation
from knarr.registry.registries import Logins
from knarr.registry.server.registry import Registry
from knarr.registry.server.serve import served
from knarr.registry.server.settings import Settings
from knarr.spec import decode
from knarr.spec.oci.image import Manifest
from knarr.store import Database
from support import images
from support.exchanges import trading
from support.parcels import noise, parcel, push
from support.rooms import Rooms

CLIENTS = 4
SHARED = [noise(150_000, seed) for seed in range(3)]  # layers that everybody's images have
YOUNG_S = 0.05  # far less than a push takes now and then: a client has to try again
TRIES = 30


@dataclass(eq=False)
class Serving:
    """A registry under collection, and what its store has."""

    host: str
    registry: Registry
    blobs: BlobStore
    db: Database
    collections: int = 0
    young_s: float = YOUNG_S

    async def collect_for_ever(self) -> None:
        while True:
            self.registry.collect(young_s=self.young_s)
            self.collections += 1
            await asyncio.sleep(0.002)


@asynccontextmanager
async def serving(root: Path, db: Database, blobs: BlobStore) -> AsyncIterator[Serving]:
    settings = Settings(port=0, root=root, collect_every_s=0)
    async with served(settings, db, blobs) as url:
        made = Serving(url.removeprefix("http://"), Registry(db, blobs), blobs, db)
        collecting = asyncio.create_task(made.collect_for_ever())
        try:
            yield made
        finally:
            collecting.cancel()


async def insisted(server: Serving, work: Callable[[], object]) -> object:
    """As a client whose blob was collected before its manifest came: it sends it again.

    Each time the registry becomes more patient, so that a slow machine gets there too.
    """
    for _ in range(TRIES):
        try:
            return await work()  # type: ignore[misc]
        except KnarrError as error:
            if "unknown" not in str(error):
                raise
            server.young_s *= 1.5
    raise AssertionError(f"refused {TRIES} times")


def erase(desk: Desk, name: str, digest: str) -> None:
    reference = Reference.parse(name)
    actions = ("pull", "push", "delete")
    client = desk.registries.pusher(reference, Logins(), Cancellation(), actions=actions)
    client.delete_manifest(digest)


@dataclass(eq=False)
class Client:
    """Pushes, pulls and deletes in a repository of its own; looks into those of others."""

    number: int
    server: Serving
    desk: Desk
    folder: Path
    alive: dict[str, tuple[str, set[bytes]]] = field(default_factory=dict)  # digest, tars by name
    made: int = 0

    @property
    def repository(self) -> str:
        return f"{self.server.host}/own/{self.number}"

    async def run(self, steps: int, others: "list[Client]") -> None:
        chance = random.Random(self.number)
        for _ in range(steps):
            match chance.randrange(5):
                case 0 | 1:
                    await self.push(chance)
                case 2 if self.alive:
                    await self.delete(chance.choice(sorted(self.alive)))
                case 3 if self.alive:
                    await self.check(chance.choice(sorted(self.alive)))
                case _:
                    await self.look(chance.choice(others), chance)

    async def push(self, chance: random.Random) -> None:
        self.made += 1
        own = noise(chance.randrange(1_000, 300_000), 1000 * self.number + self.made)
        tars = (chance.choice(SHARED), own)
        name = f"{self.repository}:{self.made}"
        what = parcel(self.desk.blobs, *tars)
        result = await insisted(self.server, lambda: push(self.desk, name, what))
        self.alive[name] = (result.digest, set(tars))  # type: ignore[attr-defined]

    async def delete(self, name: str) -> None:
        digest, _ = self.alive.pop(name)
        await asyncio.to_thread(erase, self.desk, name, digest)

    async def check(self, name: str) -> None:
        """Into a store of nobody's: every byte comes from the registry."""
        digest, tars = self.alive[name]
        self.made += 1
        other = Desk(root=self.folder / str(self.made), certificates=self.desk.certificates)
        try:
            found = await other.pull(name)
        finally:
            await other.close()
        assert found.image.root.digest == digest
        assert set(other.layers.tars.values()) == tars

    async def look(self, owner: "Client", chance: random.Random) -> None:
        """It may be deleted under our hands; what comes is right all the same."""
        if not owner.alive:
            return
        name = chance.choice(sorted(owner.alive))
        other = Desk(root=self.folder / "look", certificates=self.desk.certificates)
        try:
            await other.pull(name)
        except KnarrError:
            pass  # gone meanwhile; of a wrong byte the puller would say so to its owner too
        finally:
            await other.close()


async def storm(server: Serving, folder: Path, certificates: Path, steps: int) -> list[Client]:
    clients = []
    for number in range(CLIENTS):
        root = folder / f"client{number}"
        root.mkdir(parents=True)
        desk = Desk(root=root, certificates=certificates)
        clients.append(Client(number, server, desk, root / "checks"))
    try:
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(client.run(steps, clients))
        for client in clients:
            for name in client.alive:
                await client.check(name)
    finally:
        for client in clients:
            await client.desk.close()
    return clients


def parts_of(server: Serving, digest: str) -> set[str]:
    """A manifest and all that it names."""
    manifest = decode(server.blobs.read(Digest(digest)), Manifest)
    return {digest, manifest.config.digest, *(each.digest for each in manifest.layers)}


def wanted(server: Serving, clients: list[Client]) -> set[str]:
    digests = [digest for client in clients for digest, _ in client.alive.values()]
    return {part for digest in digests for part in parts_of(server, digest)}


async def storm_on_a_registry(folder: Path, steps: int) -> None:
    (folder / "certs.d").mkdir()
    root = folder / "registry"
    root.mkdir()
    with closing(Database(root / "registry.db", EventBus())) as db:
        blobs = BlobStore(root)
        async with serving(root, db, blobs) as server:
            clients = await storm(server, folder, folder / "certs.d", steps)
            assert server.collections
        server.registry.collect(young_s=0)
        kept = wanted(server, clients)
        assert set(blobs.digests()) == kept
        assert {str(each) for each in all_blobs(db)} == kept


async def test_a_registry_loses_nothing_while_it_collects(tmp_path: Path) -> None:
    await storm_on_a_registry(tmp_path, steps=12)


@pytest.mark.long
async def test_a_registry_loses_nothing_in_a_long_storm(tmp_path: Path) -> None:
    await storm_on_a_registry(tmp_path, steps=300)


# -- the engine's store -------------------------------------------------------------------------


@dataclass(eq=False)
class Engine:
    """Images that share their store with the registry: tagged, pushed, removed, pulled again."""

    server: Serving
    rooms: Rooms
    exchange: Exchange

    async def run(self, number: int, steps: int) -> None:
        chance = random.Random(number)
        for step in range(steps):
            name = f"{self.server.host}/engine/{number}:{step}"
            layers = (
                images.layer({"shared": SHARED[chance.randrange(3)]}),
                images.layer({"own": f"{number} {step}".encode()}),
            )
            archive = images.docker_archive(
                layers, images.document(layers, {"Cmd": [name]}), (name,)
            )
            await self.rooms.load(archive)
            identity = self.rooms.images.resolve(name).id
            await insisted(self.server, lambda name=name: self.push(name))  # type: ignore[misc]
            await self.rooms.images.remove(name, force=True)
            assert self.rooms.images.find(name) is None
            await self.pull(name)
            assert self.rooms.images.resolve(name).id == identity
            self.layers_are_whole(name)
            if chance.random() < 0.5:
                await self.rooms.images.remove(name, force=True)

    async def push(self, name: str) -> None:
        async for line in self.exchange.push(Reference.parse(name), Logins()):
            if line.error_detail:
                raise NotFound(line.error_detail.message)

    async def pull(self, name: str) -> None:
        found = await self.exchange.find(Reference.parse(name), Logins())
        async for line in self.exchange.pull(found):
            assert not line.error_detail, line

    def layers_are_whole(self, name: str) -> None:
        for diff_id in self.rooms.images.resolve(name).diff_ids:
            assert self.rooms.layers.has(diff_id)
            assert self.rooms.layers.is_sound(diff_id)


async def collect_images(rooms: Rooms) -> None:
    while True:
        rooms.images.collect()
        await rooms.images.empty_trash()
        await asyncio.sleep(0.002)


async def storm_on_an_engine(folder: Path, steps: int) -> None:
    async with trading(folder) as trade:
        rooms = trade.rooms
        async with serving(rooms.root, rooms.db, rooms.blobs) as server:
            engine = Engine(server, rooms, trade.exchange)
            collecting = asyncio.create_task(collect_images(rooms))
            async with asyncio.TaskGroup() as tasks:
                for number in range(3):
                    tasks.create_task(engine.run(number, steps))
                outside = tasks.create_task(
                    storm(server, folder / "outside", folder / "certs.d", steps)
                )
            collecting.cancel()
            for name in [tag for image in rooms.images.list({}) for tag in image.repo_tags]:
                engine.layers_are_whole(name)
            assert server.collections
            for client in outside.result():
                for digest, _ in client.alive.values():
                    assert all(rooms.blobs.has(Digest(each)) for each in parts_of(server, digest))
        server.registry.collect(young_s=0)
        rooms.images.collect()
        assert set(rooms.blobs.digests()) == all_blobs(rooms.db)


async def test_an_engine_loses_nothing_while_both_collect(tmp_path: Path) -> None:
    await storm_on_an_engine(tmp_path, steps=4)


@pytest.mark.long
async def test_an_engine_loses_nothing_in_a_long_storm(tmp_path: Path) -> None:
    await storm_on_an_engine(tmp_path, steps=120)
