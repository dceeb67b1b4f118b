"""Pull and push of images with the storage rooms of an engine, without an engine around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from knarr.image import Exchange, Image
from knarr.reference import Reference
from knarr.registry import Logins, Puller, Pusher, Registries, RegistryTable, Transport
from knarr.registry.retry import RetryPolicy
from knarr.registry.transport import Proxies
from knarr.spec.docker.progress import Progress
from knarr.spec.oci.platform import parse_platform
from support.rooms import Rooms

QUICK = RetryPolicy(attempts=4, first_wait_s=0.001, longest_wait_s=1.0)


@dataclass(eq=False)
class Trade:
    """Images that come and go by registries."""

    rooms: Rooms
    exchange: Exchange

    async def pull(self, name: str, platform: str = "linux/amd64") -> Image:
        found = await self.exchange.find(Reference.parse(name), Logins(), parse_platform(platform))
        async for line in self.exchange.pull(found):
            assert not line.error_detail, line
        return self.rooms.images.resolve(name)

    async def push(self, name: str) -> list[Progress]:
        return [line async for line in self.exchange.push(Reference.parse(name), Logins())]


@asynccontextmanager
async def trading(folder: Path) -> AsyncIterator[Trade]:
    (folder / "certs.d").mkdir(exist_ok=True)
    rooms = Rooms(folder / "engine")
    transport = Transport(certificates=[folder / "certs.d"], proxies=Proxies())
    registries = Registries(RegistryTable(), transport, QUICK, chance=lambda: 0.0)
    puller, pusher = Puller(registries, rooms.blobs), Pusher(registries, rooms.blobs)
    exchange = Exchange(rooms.db, rooms.blobs, rooms.layers, rooms.images, puller, pusher)
    try:
        yield Trade(rooms, exchange)
    finally:
        await exchange.close()
        registries.close()
        rooms.close()
