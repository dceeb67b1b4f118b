"""Connections that are carried, where both ends are in this process."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator

import pytest

from knarr.network import relays as room
from knarr.network.relays import Relays


@pytest.fixture
async def echo() -> AsyncIterator[tuple[str, int]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())  # once the other side has no more
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()


def door() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


async def asked(place: tuple[str, int], question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*place)
    writer.write(question)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_connection_is_carried_both_ways_to_its_end(echo: tuple[str, int]) -> None:
    relays, sock = Relays(lambda _: echo), door()
    relays.opened(7, sock)
    question = b"x" * 1_000_000
    assert await asked(sock.getsockname(), question) == question.upper()
    relays.closing(7)
    with sock:
        pass


async def test_where_nobody_is_behind_the_door_it_is_closed_at_once() -> None:
    relays, sock = Relays(lambda _: None), door()
    with sock:
        relays.opened(7, sock)
        assert await asked(sock.getsockname(), b"") == b""
        relays.closing(7)
        relays.closing(7)  # content when it is closed


async def test_without_descriptors_the_door_rests_and_opens_again(
    echo: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poor(socket.socket):
        refusals = 1

        def accept(self) -> tuple[socket.socket, object]:
            if Poor.refusals:
                Poor.refusals -= 1
                raise OSError(errno.EMFILE, "too many open files")
            return super().accept()

    monkeypatch.setattr(room, "_REST_SECONDS", 0.01)
    with Poor() as sock:
        sock.bind(("127.0.0.1", 0))
        relays = Relays(lambda _: echo)
        relays.opened(7, sock)
        assert await asked(sock.getsockname(), b"late") == b"LATE"
        relays.closing(7)
