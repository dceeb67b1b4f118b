import asyncio
import time
from pathlib import Path

from knarr.keeper.record import LogWriter
from knarr.runtime.firstwords import first_words

FAR_NS = 60_000_000_000


def say(folder: Path, text: bytes) -> None:
    writer = LogWriter(str(folder), 1 << 20, 0)
    writer.begin(1)
    writer.write(1, text, 2)
    writer.close()


async def test_what_is_said_soon_is_waited_for(tmp_path: Path) -> None:
    waiting = asyncio.create_task(first_words(tmp_path, lambda: True, time.time_ns() + FAR_NS))
    await asyncio.sleep(0)
    assert not waiting.done()
    say(tmp_path, b"ahoy\n")
    async with asyncio.timeout(30):
        await waiting


async def test_who_has_ended_says_no_more(tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        await first_words(tmp_path, lambda: False, time.time_ns() + FAR_NS)


async def test_who_was_started_long_ago_is_not_waited_for(tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        await first_words(tmp_path, lambda: True, time.time_ns() - 1)
