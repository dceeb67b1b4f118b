"""Waiting for what is written in folders: many waiters, one instance of the kernel's."""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

from knarr.runtime.changes import changes


async def test_only_who_waits_for_the_folder_is_woken(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with changes(str(tmp_path / "one")) as first, changes(str(tmp_path / "one")) as second:
        with changes(str(tmp_path / "other")) as other:
            (tmp_path / "one" / "file").write_text("x")
            await asyncio.wait_for(asyncio.gather(first.wait(), second.wait()), 5)
            assert not other.is_set()
        first.clear()
        (tmp_path / "one" / "file").write_text("y")
        await asyncio.wait_for(first.wait(), 5)


async def test_many_may_wait_and_nothing_is_left_of_them(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with ExitStack() as waiting:
        events = [waiting.enter_context(changes(str(tmp_path))) for _ in range(500)]
        assert len(os.listdir("/proc/self/fd")) <= before + 1
        (tmp_path / "file").touch()
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in events)), 5)
    assert len(os.listdir("/proc/self/fd")) <= before
