import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing

import pytest

from knarr.http.outflow import outflow

Sink = Callable[[bytes], None]


async def test_everything_comes_in_order() -> None:
    def produce(sink: Sink) -> None:
        for number in range(50):
            sink(b"%d," % number)

    pieces = [piece async for piece in outflow(produce)]
    assert b"".join(pieces) == b"".join(b"%d," % number for number in range(50))


async def test_a_failure_comes_after_what_was_produced() -> None:
    def produce(sink: Sink) -> None:
        sink(b"some")
        raise OSError("the disk broke")

    async with aclosing(outflow(produce)) as pieces:
        assert await anext(pieces) == b"some"
        with pytest.raises(OSError, match="the disk broke"):
            await anext(pieces)


async def test_a_slow_receiver_holds_the_producer_back() -> None:
    produced = 0
    blocked = threading.Event()

    def produce(sink: Sink) -> None:
        nonlocal produced
        for _ in range(100):
            if produced == 4:
                blocked.set()
            sink(b"x")
            produced += 1

    async with aclosing(outflow(produce)) as pieces:
        await anext(pieces)
        await asyncio.to_thread(blocked.wait, 10)
        assert produced <= 6


async def test_the_thread_ends_when_nobody_listens() -> None:
    ended = threading.Event()

    def produce(sink: Sink) -> None:
        try:
            while True:
                sink(b"x")
        finally:
            ended.set()

    async with aclosing(outflow(produce)) as pieces:
        await anext(pieces)
    assert ended.is_set()
