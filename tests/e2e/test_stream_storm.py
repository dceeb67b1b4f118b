"""A hundred streams at once on a container that talks a lot, some of them never read.

All who read get every line; who does not is cut off and told, or told what went meanwhile; what the
daemon and the keeper keep for them is bounded; and whoever comes by with another wish is served.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from knarr.http.frames import ENGINE_ERROR, STDERR, Demultiplexer
from support.daemon import Daemon, running_daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

# 500 lines of 100 bytes for each that it reads: no faster than those who read it are.
_TALK = '{ for (i = 0; i < 500; i++) printf "number %09d %82s\\n", ++n, ""; fflush() }'
_BURST = 500
_NUMBER = re.compile(rb"number (\d{9}) {83}")
_GROWTH_MIB = 64  # of daemon and keeper together


@dataclass(frozen=True)
class Storm:
    """How many streams of each kind, one of each never read, and what they are to carry."""

    attached: int
    followers: int
    events: int
    stats: int
    lines: int
    signals: int  # for each burst of lines: an event each


@pytest.fixture
def own_daemon(busybox_archive: Path) -> Iterator[Daemon]:
    """Nobody else uses it: its memory is what this test makes of it."""
    with running_daemon() as daemon:
        assert daemon.docker("load", "-i", str(busybox_archive)).returncode == 0
        yield daemon


class Stream:
    """The body of one answer, raw or in chunks; one who reads sees that no number is left out."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, chunked: bool
    ) -> None:
        self._reader, self._chunked = reader, chunked
        self.writer = writer
        self.frames = Demultiplexer()
        self.last = 0
        self.pieces = 0
        self._text = b""

    async def read(self) -> None:
        while piece := await self._piece():
            self.pieces += 1
            self._text += b"".join(data for _, data in self.frames.feed(piece))
            *lines, self._text = self._text.split(b"\n")
            for line in lines:
                self._check(line)

    async def count(self) -> None:
        while await self._piece():
            self.pieces += 1

    def _check(self, line: bytes) -> None:
        found = _NUMBER.fullmatch(line)
        assert found, line
        number = int(found[1])
        assert self.last in (0, number - 1), f"after {self.last} came {number}"
        self.last = number

    async def _piece(self) -> bytes:
        if not self._chunked:
            return await self._reader.read(1 << 16)
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def told(self, stream: int) -> bytes:
        """What came on ``stream``, once somebody reads this one to its end at last."""
        found = []
        async with asyncio.timeout(60):
            while piece := await self._piece():
                found += [data for number, data in self.frames.feed(piece) if number == stream]
        return b"".join(found)

    async def is_whole(self) -> bool:
        """The same; whether the engine said itself that this was all."""
        try:
            async with asyncio.timeout(60):
                await self.count()
        except asyncio.IncompleteReadError:
            return False
        return True


@asynccontextmanager
async def opened(daemon: Daemon, request: str, *headers: str) -> AsyncIterator[Stream]:
    """A connection of its own, with a small buffer: what we do not read waits in the engine."""
    reader, writer = await asyncio.open_unix_connection(str(daemon.socket), limit=1 << 16)
    try:
        lines = [f"{request} HTTP/1.1", "Host: x", *headers]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split(b" ")[1] in (b"101", b"200", b"204"), head
        yield Stream(reader, writer, chunked=b"chunked" in head)
    finally:
        writer.close()


def memory_mib(daemon: Daemon) -> float:
    """Resident, of the daemon and its keeper."""
    assert daemon.process is not None
    pids = [daemon.process.pid, int((daemon.run_root / "keeper.lock").read_text())]
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    return sum(pages) * os.sysconf("SC_PAGESIZE") / (1 << 20)


async def storm(daemon: Daemon, name: str, size: Storm) -> None:
    before = memory_mib(daemon)
    path = f"/containers/{name}"
    upgrade = ("Connection: Upgrade", "Upgrade: tcp")
    async with AsyncExitStack() as stack:

        async def streams(count: int, request: str, *headers: str) -> list[Stream]:
            made = [opened(daemon, request, *headers) for _ in range(count)]
            return [await stack.enter_async_context(each) for each in made]

        asleep_attached, *attached = await streams(
            size.attached, f"POST {path}/attach?stream=1&stdout=1&stderr=1", *upgrade
        )
        asleep_follower, *followers = await streams(
            size.followers, f"GET {path}/logs?follow=1&stdout=1&stderr=1&tail=1"
        )
        asleep_events, *events = await streams(size.events, "GET /events")
        _, *stats = await streams(size.stats, f"GET {path}/stats?stream=1")
        (speaker,) = await streams(1, f"POST {path}/attach?stream=1&stdin=1", *upgrade)
        reading = [asyncio.create_task(each.read()) for each in (*attached, *followers)]
        counting = [asyncio.create_task(each.count()) for each in (*events, *stats)]

        most = before
        for turn in range(size.lines // _BURST):
            speaker.writer.write(b"speak\n")
            async with asyncio.timeout(20):  # others have their turn
                for _ in range(size.signals):
                    async with opened(daemon, f"POST {path}/kill?signal=CONT"):
                        pass
                if turn % 50 == 0:
                    async with opened(daemon, f"GET {path}/json"):
                        pass
                    ran = await asyncio.to_thread(
                        daemon.docker, "run", "--rm", "--network", "none", "busybox", "echo", "hi"
                    )
                    assert ran.stdout == "hi\n", ran.stderr
            most = max(most, memory_mib(daemon))
            failed = [each for each in reading if each.done() and each.exception()]
            assert not failed, failed[0].exception()
            async with asyncio.timeout(60):
                while min(each.last for each in (*attached, *followers)) < turn * _BURST:
                    await asyncio.sleep(0.005)
        assert most - before < _GROWTH_MIB
        assert all(each.pieces for each in (*events, *stats))

        async with opened(daemon, f"POST {path}/kill"):
            pass
        async with asyncio.timeout(60):
            await asyncio.gather(*reading)
        # Whoever read has the last line; the sleepers hear why they have not.
        assert len({each.last for each in (*attached, *followers)}) == 1
        assert b"too slow" in await asleep_attached.told(ENGINE_ERROR)
        assert b"lines are missing here" in await asleep_follower.told(STDERR)
        if turn * size.signals > 7_000:  # more than a listener's backlog and all buffers hold
            assert not await asleep_events.is_whole()
        for task in counting:
            task.cancel()
        await asyncio.gather(*counting, return_exceptions=True)


def begun(daemon: Daemon) -> str:
    """A container that talks, and keeps little of its log."""
    made = daemon.docker(
        "run", "-d", "-i", "--network", "none",
        "--log-opt", "max-size=500k", "--log-opt", "max-file=2", "busybox", "awk", _TALK,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


async def test_a_few_streams_for_a_few_seconds(own_daemon: Daemon) -> None:
    name = begun(own_daemon)
    few = Storm(attached=4, followers=8, events=4, stats=3, lines=30_000, signals=1)
    await storm(own_daemon, name, few)


@pytest.mark.long
async def test_a_hundred_streams_for_a_minute(own_daemon: Daemon) -> None:
    name = begun(own_daemon)
    many = Storm(attached=24, followers=50, events=20, stats=10, lines=150_000, signals=25)
    await storm(own_daemon, name, many)
