"""A registry in this process, and a puller with a store of its own."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from knarr.content import BlobStore
from knarr.reference import Reference
from knarr.registry.pull import Found, Puller
from knarr.registry.registries import Logins, Registries
from knarr.registry.retry import RetryPolicy
from knarr.registry.table import RegistryTable
from knarr.registry.transport import Proxies, Transport
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.progress import Progress
from knarr.spec.oci.platform import parse_platform
from support.layers import PlainLayers
from support.registry import FakeRegistry

QUICK = RetryPolicy(attempts=4, first_wait_s=0.001, longest_wait_s=1.0)


@dataclass(eq=False)
class Desk:
    """Everything that a pull needs, and what came of it."""

    root: Path
    certificates: Path
    table: RegistryTable = RegistryTable()  # noqa: RUF009
    policy: RetryPolicy = QUICK
    read_timeout_s: float = 10.0
    layers: PlainLayers = field(default_factory=PlainLayers)
    told: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """As after a start of the daemon: only what is on the disk is known."""
        self.transport = Transport(
            certificates=[self.certificates],
            proxies=Proxies(),
            read_timeout_s=self.read_timeout_s,
        )
        registries = Registries(self.table, self.transport, self.policy, chance=lambda: 0.0)
        self.registries = registries
        self.blobs = BlobStore(self.root)
        self.puller = Puller(registries, self.blobs)

    async def close(self) -> None:
        await self.puller.close()
        self.registries.close()

    async def find(self, name: str, login: AuthConfig | None = None) -> Found:
        reference = Reference.parse(name)
        logins = Logins.for_reference(login or AuthConfig(), reference)
        return await self.puller.find(reference, logins, parse_platform("linux/amd64"))

    async def pull(self, name: str, login: AuthConfig | None = None) -> Found:
        found = await self.find(name, login)
        await self.puller.fetch(found, self.layers, self.told.append)
        return found

    def statuses(self, identifier: str | None = None) -> list[str]:
        """What was told, without repetitions in a row; of one layer or of all."""
        texts = [each.status for each in self.told if identifier in (None, each.id)]
        return [text for n, text in enumerate(texts) if n == 0 or texts[n - 1] != text]


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    (tmp_path / "certs.d").mkdir()
    made = Desk(root=tmp_path, certificates=tmp_path / "certs.d")
    try:
        yield made
    finally:
        await made.close()
