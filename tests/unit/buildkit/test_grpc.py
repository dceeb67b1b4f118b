import asyncio
import base64

import pytest

from knarr.buildkit import grpc
from knarr.buildkit.http2 import Broken, Stream
from knarr.buildkit.messages import Bytes, Detail, Empty, RpcStatus
from knarr.errors import NotFound
from support.h2 import joined, serving

ECHO = "/test.Echo/Back"


async def _echo(asked: Bytes, call: grpc.Call) -> Bytes:
    return Bytes(data=asked.data + call.metadata.get("more", "").encode())


async def test_a_call_has_an_answer_and_carries_metadata() -> None:
    async with serving({ECHO: grpc.unary(Bytes, _echo)}) as client:
        answer = await grpc.asked(client, ECHO, Bytes(data=b"a"), Bytes, [("more", "b")])
    assert answer == Bytes(data=b"ab")


async def test_a_failure_comes_as_its_status_with_the_whole_sentence() -> None:
    async def missing(_: Bytes, __: grpc.Call) -> Bytes:
        raise NotFound("no such thing: ä 100%\nsecond line")

    async def broken(_: Bytes, __: grpc.Call) -> Bytes:
        raise RuntimeError("bug")

    methods = {"/a/missing": grpc.unary(Bytes, missing), "/a/broken": grpc.unary(Bytes, broken)}
    async with serving(methods) as client:
        with pytest.raises(grpc.Status, match="no such thing: ä 100%\nsecond line") as told:
            await grpc.asked(client, "/a/missing", Bytes(), Bytes)
        assert told.value.code == grpc.NOT_FOUND
        with pytest.raises(grpc.Status, match="internal error: RuntimeError: bug"):
            await grpc.asked(client, "/a/broken", Bytes(), Bytes)
        with pytest.raises(grpc.Status, match="knarr has no a/other") as told:
            await grpc.asked(client, "/a/other", Bytes(), Bytes)
        assert told.value.code == grpc.UNIMPLEMENTED


async def test_what_is_known_of_a_failure_goes_along() -> None:
    detail = Detail(type_url="a/b", value=b'{"x":1}')

    async def failing(_: Bytes, __: grpc.Call) -> Bytes:
        raise grpc.Status(grpc.UNKNOWN, "why", [detail])

    async with (
        serving({ECHO: grpc.unary(Bytes, failing)}) as client,
        grpc.calling(client, ECHO) as call,
    ):
        await call.send(Bytes())
        assert await call.receive(Bytes) is None
        raw = dict(call.stream.trailers)["grpc-status-details-bin"]
    told = RpcStatus.decode(base64.b64decode(raw + "=" * (-len(raw) % 4)))
    assert told == RpcStatus(code=grpc.UNKNOWN, message="why", details=[detail])


async def test_messages_stream_both_ways_however_large() -> None:
    async def doubled(call: grpc.Call) -> None:
        while (message := await call.receive(Bytes)) is not None:
            await call.send(Bytes(data=message.data * 2))

    async with serving({ECHO: doubled}) as client, grpc.calling(client, ECHO) as call:
        for size in (0, 1, 100_000, 3_000_000):  # the last one is more than a window
            sending = asyncio.ensure_future(call.send(Bytes(data=b"x" * size)))
            assert await call.receive(Bytes) == Bytes(data=b"x" * size * 2)
            await sending
        await call.stream.end()
        assert await call.receive(Bytes) is None
        await grpc.finished(call)


async def test_a_message_over_the_limit_is_refused_before_it_is_read() -> None:
    async with (
        serving({ECHO: grpc.unary(Bytes, _echo)}) as client,
        grpc.calling(client, ECHO) as call,
    ):
        await call.stream.send(b"\0" + (1 << 30).to_bytes(4, "big"))
        assert await call.receive(Bytes) is None
        with pytest.raises(grpc.Status, match="is larger than"):
            await grpc.finished(call)


async def test_who_sends_faster_than_is_read_has_to_wait() -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    got = 0

    async def slow(stream: Stream) -> None:
        nonlocal got
        begun.set()
        await go.wait()
        while piece := await stream.read():
            got += len(piece)
        await stream.send_headers([(":status", "200")], last=True)

    async with joined(slow) as (client, written):
        async with grpc.calling(client, ECHO) as call:
            sending = asyncio.ensure_future(call.stream.send(bytes(20 << 20)))
            await begun.wait()
            before = -1
            while before != written.written_bytes:  # until nothing moves any more
                before = written.written_bytes
                for _ in range(100):
                    await asyncio.sleep(0)
            assert written.written_bytes < 2 << 20
            go.set()
            await sending
            await call.stream.end()
            while await call.stream.read():
                pass
        assert got == 20 << 20


class Endless:
    """A method that never answers."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Empty, __: grpc.Call) -> Empty:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        return Empty()


async def test_a_client_that_gives_up_ends_what_works_for_it() -> None:
    endless = Endless()
    async with serving({ECHO: grpc.unary(Empty, endless)}) as client:
        asking = asyncio.ensure_future(grpc.asked(client, ECHO, Empty(), Empty))
        await endless.begun.wait()
        asking.cancel()
        await asyncio.wait_for(endless.ended.wait(), 30)
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_connection_that_goes_breaks_what_is_under_way_at_both_ends() -> None:
    endless = Endless()
    async with serving({ECHO: grpc.unary(Empty, endless)}) as client:
        asking = asyncio.ensure_future(grpc.asked(client, ECHO, Empty(), Empty))
        await endless.begun.wait()
    with pytest.raises(Broken):
        await asking
    assert endless.ended.is_set()


async def test_what_a_given_up_call_left_unread_does_not_fill_the_connection() -> None:
    async def flood(call: grpc.Call) -> None:
        while True:
            await call.send(Bytes(data=bytes(100_000)))

    async with serving({ECHO: flood, "/a/echo": grpc.unary(Bytes, _echo)}) as client:
        for _ in range(20):  # each fills its own window: together more than the connection's
            async with grpc.calling(client, ECHO) as call:
                assert await call.receive(Bytes) is not None
                for _ in range(200):
                    await asyncio.sleep(0)
        answer = await grpc.asked(client, "/a/echo", Bytes(data=b"alive"), Bytes)
    assert answer.data == b"alive"
