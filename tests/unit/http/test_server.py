import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knarr.http.message import (
    Answer,
    ByteSink,
    ByteSource,
    FileSlice,
    Hijack,
    Request,
    Response,
    Sized,
)
from knarr.http.server import Server


class Talk:
    """A server with one application, and a raw connection to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cancelled = asyncio.Event()

    async def application(self, request: Request) -> Answer:
        match request.path:
            case "/echo":
                return Response(body=await request.body.read())
            case "/ticks":
                return Response(body=self._ticks())
            case "/shout":
                return Response(body=(piece.upper() async for piece in request.body))
            case "/talk":
                return Hijack(talk=self._shout)
            case "/ignore":
                return Response(body=b"ignored")
            case "/file":
                fd = os.open(self.path.with_suffix(".file"), os.O_RDONLY)
                return Response(body=FileSlice(fd=fd, offset=2, count=4))
            case "/sized":
                return Response(body=Sized(count=6, pieces=self._two_pieces()))
        return Response(status=404)

    async def _two_pieces(self) -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"de!"

    async def _ticks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0.01)
        finally:
            self.cancelled.set()

    async def _shout(self, source: ByteSource, sink: ByteSink) -> None:
        while data := await source.read(100):
            sink.write(data.upper())
            await sink.drain()


async def _ask(talk: Talk, *requests: bytes, wanted: int = 1) -> bytes:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(talk.path))
    async with asyncio.TaskGroup() as tasks:
        server = Server(talk.application, tasks, {"Server": "test"})
        await server.listen(sock)
        reader, writer = await asyncio.open_unix_connection(str(talk.path))
        for request in requests:
            writer.write(request)
        answer = b""
        while answer.count(b"HTTP/1.1") < wanted or not answer.endswith(
            (b"!", b"tick\r\n", b"0\r\n\r\n")
        ):
            if not (piece := await reader.read(4096)):
                break
            answer += piece
        writer.close()
        if b"tick" in answer:
            await asyncio.wait_for(talk.cancelled.wait(), 5)
        await server.close()
    return answer


@pytest.fixture
async def talk(tmp_path: Path) -> Talk:
    return Talk(tmp_path / "s")


async def test_a_body_arrives_by_length_and_by_chunks(talk: Talk) -> None:
    answer = await _ask(
        talk,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\none.",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\ntwo\r\n1\r\n!\r\n0\r\n\r\n",
        wanted=2,
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"one." in answer
    assert answer.endswith(b"two!")


async def test_a_client_that_waits_is_asked_for_the_body_before_the_answer_begins(
    talk: Talk,
) -> None:
    """curl waits a second with what is large; the answer may be made while the body comes."""
    request = (
        b"POST /shout HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    )
    answer = await _ask(talk, request, b"ok!", wanted=2)
    asked, _, rest = answer.partition(b"\r\n\r\n")
    assert asked == b"HTTP/1.1 100 Continue"
    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert b"OK!" in rest


async def test_an_unread_body_does_not_spoil_the_next_request(talk: Talk) -> None:
    answer = await _ask(
        talk,
        b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nok!",
        wanted=2,
    )
    assert answer.endswith(b"ok!")


async def test_a_stream_is_cancelled_when_the_client_hangs_up(talk: Talk) -> None:
    answer = await _ask(talk, b"GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in answer
    assert talk.cancelled.is_set()


async def test_a_hijacked_connection_is_raw_in_both_directions(talk: Talk) -> None:
    request = b"POST /talk HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nahoy!"
    answer = await _ask(talk, request)
    assert answer.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    assert answer.endswith(b"AHOY!")


async def test_what_is_no_http_is_refused(talk: Talk) -> None:
    answer = await _ask(talk, b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_client_that_tries_tls_is_told_at_once(talk: Talk) -> None:
    answer = await _ask(talk, b"\x16\x03\x01\x02\x00\x01\x00\x01")
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_request_with_two_framings_is_refused(talk: Talk) -> None:
    answer = await _ask(
        talk,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
    )
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_part_of_a_file_is_sent_with_its_length(talk: Talk) -> None:
    talk.path.with_suffix(".file").write_bytes(b"__abc!__")
    answer = await _ask(
        talk,
        b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD /file HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n",
        wanted=3,
    )
    heads = answer.split(b"HTTP/1.1 200 OK")[1:]
    assert [b"Content-Length: 4" in head for head in heads] == [True, True, True]
    assert [head.partition(b"\r\n\r\n")[2] for head in heads] == [b"abc!", b"", b"abc!"]


async def test_a_stream_of_known_length_is_sent_without_chunks(talk: Talk) -> None:
    answer = await _ask(talk, b"GET /sized HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Content-Length: 6" in answer
    assert b"chunked" not in answer
    assert answer.endswith(b"\r\n\r\nabcde!")
