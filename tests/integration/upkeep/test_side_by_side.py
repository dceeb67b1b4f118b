"""A check that repairs, while images come and go: it finds nothing wrong, and breaks nothing."""

import asyncio

import pytest

from integration.upkeep.conftest import Store
from integration.upkeep.test_fsck import PACKED, PLAIN
from support import images

pytestmark = pytest.mark.needs("root", "overlay", "erofs")
ROUNDS = 12


async def test_nothing_that_comes_or_goes_is_taken_for_damage(store: Store) -> None:
    others = [images.layer({f"f{n}": b"x" * 200_000}) for n in range(ROUNDS)]
    checked = 0

    async def come_and_go() -> None:
        for number, layer in enumerate(others):
            name = f"other:{number}"
            config = images.document((layer,), {})
            await store.load(images.docker_archive((layer,), config, (name,)), step=20_000)
            await store.load(PACKED if number % 2 else PLAIN, step=300)
            await store.images.remove(name)
            await store.images.remove("packed:1" if number % 2 else "plain:1")

    async def check() -> None:
        nonlocal checked
        while not working.done():
            assert await store.problems(repair=True) == []
            checked += 1

    working = asyncio.create_task(come_and_go())
    await asyncio.gather(working, check())
    assert checked > 1
    assert store.files() <= {"layers/tmp"}
