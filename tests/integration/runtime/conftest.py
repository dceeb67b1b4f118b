"""A keeper with a run folder of its own, and nothing left of it afterwards."""

import asyncio
import time
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
            await asyncio.to_thread(wait_until_empty, group)
            group.rmdir()  # fails when a container's group is left in it
    assert str(run_root) not in Path("/proc/mounts").read_text()


def wait_until_empty(group: Path) -> None:
    """The keeper answers before its last group has gone, but does not end before."""
    for _ in range(200):
        if not any(child.is_dir() for child in group.iterdir()):
            return
        time.sleep(0.01)
