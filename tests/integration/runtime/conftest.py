"""A keeper with a run folder of its own, and nothing left of it afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knarr.kernel.cgroups import Layout
from knarr.runtime import Keeper, Runtimes, probe
from support.boxes import Boxes, make_rootfs


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rootfs(tmp_path_factory.mktemp("rootfs"))


@pytest.fixture(scope="session")
def runtimes(tmp_path_factory: pytest.TempPathFactory) -> Runtimes:
    run_root = tmp_path_factory.mktemp("probe")

    async def find() -> Runtimes:
        keeper = Keeper(run_root)
        try:
            return await probe(keeper, run_root)
        finally:
            await keeper.end()

    return asyncio.run(find())


@pytest.fixture
async def boxes(
    runtime_name: str, runtimes: Runtimes, rootfs: Path, tmp_path: Path
) -> AsyncIterator[Boxes]:
    run_root = tmp_path / "run"
    boxes = Boxes(Keeper(run_root), runtimes.named(runtime_name), rootfs, tmp_path / "logs")
    yield boxes
    await boxes.close()
    layout = Layout.of_this_machine()
    for place in (*layout.controllers.values(), layout.unified or ""):
        group = Path(place + boxes.parent)
        if group.exists():
            group.rmdir()  # fails when a container's group is left in it
    assert str(run_root) not in Path("/proc/mounts").read_text()
