import logging
from collections.abc import Iterator
from typing import Any, cast

import pytest

from knarr.api.debug import index, profile, variables
from knarr.errors import NotFound, Unsupported

ENGINE = cast("Any", None)


@pytest.fixture
def debugging() -> Iterator[None]:
    log = logging.getLogger("knarr")
    before = log.level
    log.setLevel(logging.DEBUG)
    yield
    log.setLevel(before)


async def test_nobody_looks_into_a_daemon_that_does_not_debug() -> None:
    for asked in (variables(ENGINE), index(ENGINE), profile(ENGINE, "goroutine")):
        with pytest.raises(NotFound, match="page not found"):
            await asked


async def test_it_is_seen_what_each_task_waits_for(debugging: None) -> None:
    said = await profile(ENGINE, "goroutine")
    assert "test_it_is_seen_what_each_task_waits_for" in said
    assert "Thread MainThread:" in said
    assert "goroutine" in await index(ENGINE)


async def test_the_command_line_and_the_memory_are_told(debugging: None) -> None:
    said = await variables(ENGINE)
    assert said["cmdline"] == (await profile(ENGINE, "cmdline")).split("\0")
    assert said["memstats"]["Sys"] > 1 << 20


async def test_what_only_gos_runtime_has_is_refused_by_name(debugging: None) -> None:
    with pytest.raises(Unsupported, match="heap is of Go's runtime"):
        await profile(ENGINE, "heap")
    with pytest.raises(NotFound, match="unknown profile: x"):
        await profile(ENGINE, "x")
