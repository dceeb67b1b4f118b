"""The client's HTTP against h11 as the other side, whatever way the bytes are cut."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.client.wire import LAST_CHUNK, Exchange, chunk, request_head
from knarr.errors import InvalidArgument, Unavailable


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(marks)]
    return [piece for piece in pieces if piece]


def answered(headers: list[tuple[str, str]], body: list[bytes], *, status: int = 200) -> bytes:
    """What an h11 server sends for a GET."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    while server.next_event() is not h11.NEED_DATA and server.their_state is h11.SEND_BODY:
        pass
    out = server.send(h11.Response(status_code=status, headers=headers)) or b""
    for piece in body:
        out += server.send(h11.Data(data=piece)) or b""
    return out + (server.send(h11.EndOfMessage()) or b"")


bodies = st.lists(st.binary(max_size=60), max_size=6)
places = st.lists(st.integers(0, 2000), max_size=12)


@given(bodies, places)
def test_a_chunked_body_arrives_whole_however_it_is_cut(body: list[bytes], cuts: list[int]) -> None:
    raw = answered([("Transfer-Encoding", "chunked")], body)
    exchange = Exchange("GET")
    got = b"".join(exchange.feed(piece) for piece in cut(raw, cuts))
    assert got == b"".join(body)
    assert exchange.ended
    assert exchange.reusable
    assert exchange.rest == b""


@given(bodies, places)
def test_a_counted_body_arrives_whole_however_it_is_cut(body: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(body)
    raw = answered([("Content-Length", str(len(whole)))], [whole] if whole else [])
    exchange = Exchange("GET")
    got = b"".join(exchange.feed(piece) for piece in cut(raw, cuts))
    assert (got, exchange.ended, exchange.reusable) == (whole, True, True)


@given(bodies, places)
def test_a_body_without_framing_ends_with_the_connection(
    body: list[bytes], cuts: list[int]
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n" + b"".join(body)
    exchange = Exchange("GET")
    got = b"".join(exchange.feed(piece) for piece in cut(raw, cuts))
    assert not exchange.ended
    assert exchange.feed(b"") == b""
    assert (got, exchange.ended, exchange.reusable) == (b"".join(body), True, False)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6))
def test_h11_reads_the_chunks_that_we_write(body: list[bytes]) -> None:
    server = h11.Connection(h11.SERVER)
    head = request_head("POST", "/x?a=1", "localhost", [("Transfer-Encoding", "chunked")])
    server.receive_data(head + b"".join(map(chunk, body)) + LAST_CHUNK)
    got = b""
    while (event := server.next_event()) is not h11.PAUSED:
        if isinstance(event, h11.Request):
            assert (event.method, event.target) == (b"POST", b"/x?a=1")
        if isinstance(event, h11.Data):
            got += event.data
        if isinstance(event, h11.EndOfMessage):
            break
    assert got == b"".join(body)


def test_after_a_hijack_everything_is_raw() -> None:
    exchange = Exchange("POST")
    head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    assert exchange.feed(head + b"HTTP/1.1 junk") == b""
    assert exchange.upgraded
    assert exchange.rest == b"HTTP/1.1 junk"
    assert not exchange.reusable


def test_an_interim_answer_is_passed_over() -> None:
    exchange = Exchange("POST")
    exchange.feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert exchange.head is not None
    assert exchange.head.status == 204
    assert exchange.ended


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_never_has_a_body_ends_with_its_head(status: int) -> None:
    exchange = Exchange("POST")
    exchange.feed(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status)
    assert exchange.ended


def test_the_answer_to_head_has_no_body() -> None:
    exchange = Exchange("HEAD")
    exchange.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nApi-Version: 1.41\r\n\r\n")
    assert exchange.ended
    assert exchange.head is not None
    assert exchange.head.headers["api-version"] == "1.41"


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 300_000,
    ],
)
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(Unavailable):
        Exchange("GET").feed(raw)


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"]
)
def test_a_connection_that_breaks_off_is_told(raw: bytes) -> None:
    exchange = Exchange("GET")
    if raw:
        exchange.feed(raw)
    with pytest.raises(Unavailable, match="closed the connection"):
        exchange.feed(b"")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b"])
def test_no_value_breaks_out_of_its_header(value: str) -> None:
    with pytest.raises(InvalidArgument):
        request_head("GET", "/", "localhost", [("X", value)])
    with pytest.raises(InvalidArgument):
        request_head("GET", f"/{value}", "localhost")
