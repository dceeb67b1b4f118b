"""A cache goes from one engine to another, in an image."""

from pathlib import Path

import pytest

from knarr.image.model import NewImage
from knarr.image.service import new_name
from support.builds import Yard

pytestmark = pytest.mark.needs("root", "overlay", "busybox")

DOCKERFILE = """\
FROM busybox AS made
RUN echo made > /made
FROM busybox
COPY a /a
COPY --from=made /made /made
RUN cat /a /made > /both
"""
ALL = ["RUN echo made > /made", "COPY a /a", "COPY --from=made /made /made"]
LAST = "RUN cat /a /made > /both"


@pytest.fixture
async def yards(tmp_path: Path) -> tuple[Yard, Yard]:
    """Two engines that know nothing of each other."""
    both = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        both.append(Yard(tmp_path / name))
        await both[-1].begin()
    return both[0], both[1]


async def carried(yards: tuple[Yard, Yard], ref: str) -> None:
    one, two = yards
    saved = b"".join([piece async for piece in one.rooms.images.save([ref])])
    await two.rooms.load(saved)


@pytest.mark.parametrize("whole", [False, True])
async def test_a_cache_image_has_the_steps_of_the_target_or_of_all_stages(
    yards: tuple[Yard, Yard], whole: bool
) -> None:
    one, two = yards
    built = await one.build(DOCKERFILE, {"a": "A"}, cache_to="cache:1", cache_whole=whole)
    await carried(yards, "cache:1")
    again = await two.build(DOCKERFILE, {"a": "A"}, cache_from=("cache:1",), trace=True)
    assert again.image == built.image
    assert {f"cached {step}" for step in (*ALL, LAST)} <= set(again.states())
    # A change in the last step leaves those that it stands on, as far as they are known.
    changed = DOCKERFILE + "RUN cat /both\n"
    changed = changed.replace(LAST, f"{LAST} && true")
    states = (await two.build(changed, {"a": "A"}, trace=True)).states()
    known = ALL if whole else ALL[1:]
    assert {f"cached {step}" for step in known} <= set(states)


async def test_the_result_may_carry_its_own_cache(yards: tuple[Yard, Yard]) -> None:
    one, two = yards
    plain = await one.build(DOCKERFILE, {"a": "A"})
    carrying = await one.build(
        DOCKERFILE, {"a": "A"}, tags=("app:1",), build_args={"BUILDKIT_INLINE_CACHE": "1"}
    )
    assert carrying.image != plain.image
    await carried(yards, "app:1")
    again = await two.build(DOCKERFILE, {"a": "A"}, cache_from=("app:1",), trace=True)
    assert again.image == plain.image
    assert f"cached {LAST}" in again.states()


async def test_a_cache_that_is_not_there_or_is_none_is_told(yards: tuple[Yard, Yard]) -> None:
    one, _ = yards
    told = await one.build("FROM busybox\n", cache_from=("ghost:1", "busybox"), trace=True)
    assert "cache ghost:1 is not used: No such image: ghost:1" in told.text
    assert "cache busybox is not used: it is an image without a build cache" in told.text
    assert told.image


async def test_a_cache_that_makes_no_sense_is_left_alone(yards: tuple[Yard, Yard]) -> None:
    """Its places point at layers that are not there."""
    one, two = yards
    await one.build(DOCKERFILE, {"a": "A"}, cache_to="cache:1")
    sound = one.rooms.images.resolve("cache:1").raw
    broken = sound.replace(b'"layers":[0,', b'"layers":[9,')
    assert broken != sound
    one.rooms.images.add(NewImage(config=broken, tags=(new_name("broken:1"),)))
    await carried(yards, "broken:1")
    states = (
        await two.build(DOCKERFILE, {"a": "A"}, cache_from=("broken:1",), trace=True)
    ).states()
    assert f"done {LAST}" in states
