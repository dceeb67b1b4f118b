from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from knarr.snapshot import Snapshotter, TarIndex, Unpacked
from knarr.spec.knarr.upkeep import CheckReport
from knarr.upkeep import Check
from knarr.upkeep.repair import Repairer
from support.rooms import Rooms


@dataclass
class Known:
    """Holders that a test says are there."""

    containers: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)

    def living(self) -> Mapping[str, Callable[[], Iterable[str]]]:
        return {"container/": lambda: self.containers, "build/": lambda: ()}

    def name_of(self, holder: str) -> str:
        return holder.replace("/", " ") if holder.startswith("container/") else ""

    def runs(self, holder: str) -> bool:
        return holder in self.running


class Store(Rooms):
    """The storage rooms, and their check."""

    def __init__(self, root: Path, drivers: Sequence[Snapshotter]) -> None:
        super().__init__(root, drivers)
        self.known = Known()
        repairer = Repairer(self.db, self.blobs, self.layers, self.images, self.known, root)
        self.check = Check(self.db, self.blobs, self.layers, self.known, repairer, root)

    async def report(self, *, repair: bool = False) -> CheckReport:
        *_, last = [each async for each in self.check.run(repair=repair)]
        assert isinstance(last.aux, CheckReport)
        return last.aux

    async def problems(self, *, repair: bool = False) -> list[str]:
        found = (await self.report(repair=repair)).problems
        return [f"{each.subject}: {each.problem}" for each in found]


@pytest.fixture(params=["tar+erofs", "unpacked"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    drivers: list[Snapshotter] = [Unpacked()]
    if request.param == "tar+erofs":
        drivers.insert(0, TarIndex(tmp_path / "run", detached=False))
    made = Store(tmp_path / "data", drivers)
    yield made
    made.layers.close()
    made.close()
