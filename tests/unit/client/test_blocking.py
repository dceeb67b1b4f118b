"""The blocking face against an engine that a test writes."""

import socket
from collections.abc import Iterator

import pytest

from knarr.client.blocking import CannotConnect, Engine
from knarr.client.call import Call, Lines, Output, Pieces, TwoWay
from knarr.client.calls import containers
from knarr.client.endpoint import Endpoint
from knarr.errors import Conflict, KnarrError, NotFound, Unavailable
from knarr.http.frames import STDERR, STDOUT, frame
from support.fake_engine import Answer, FakeEngine, fake_engine


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    with fake_engine(api_version="1.41") as engine:
        yield engine


@pytest.fixture
def engine(fake: FakeEngine) -> Iterator[Engine]:
    with Engine(Endpoint.parse(fake.host)) as engine:
        yield engine


def test_the_version_is_agreed_on_once(engine: Engine, fake: FakeEngine) -> None:
    fake.answers["GET", "/x"] = Answer(body=1)
    assert engine.version == "1.41"
    assert engine.speaks("1.41")
    assert not engine.speaks("1.42")
    assert [engine.ask(Call("GET", "/x")) for _ in range(3)] == [1, 1, 1]


def test_a_failure_is_raised_by_meaning_in_the_engines_words(
    engine: Engine, fake: FakeEngine
) -> None:
    fake.answers["GET", "/a"] = Answer(409, {"message": "in use"})
    fake.answers["GET", "/b"] = Answer(500, b"plain text", {"Content-Type": "text/plain"})
    with pytest.raises(Conflict, match=r"^in use$") as refused:
        engine.ask(Call("GET", "/a"))
    assert refused.value.answered == 409
    with pytest.raises(KnarrError, match=r"^plain text$"):
        engine.ask(Call("GET", "/b"))


def test_lines_come_as_values_however_they_are_cut(engine: Engine, fake: FakeEngine) -> None:
    fake.answers["GET", "/x"] = Answer(chunks=(b'{"a":', b'1}\r\n{"a":2}\n\n', b'{"a":3}'))
    assert [each["a"] for each in engine.lines(Lines("GET", "/x"))] == [1, 2, 3]


def test_output_comes_apart_into_streams(engine: Engine, fake: FakeEngine) -> None:
    raw = frame(STDOUT, b"out") + frame(STDERR, b"err")
    fake.answers["GET", "/x"] = Answer(chunks=(raw[:5], raw[5:]))
    assert list(engine.output(Output("GET", "/x"))) == [(STDOUT, b"out"), (STDERR, b"err")]


def test_a_terminals_output_is_raw(engine: Engine, fake: FakeEngine) -> None:
    kind = {"Content-Type": "application/vnd.docker.raw-stream"}
    fake.answers["GET", "/x"] = Answer(chunks=(b"raw",), headers=kind)
    assert list(engine.output(Output("GET", "/x"))) == [(STDOUT, b"raw")]


def test_a_body_of_pieces_is_sent_in_chunks(engine: Engine, fake: FakeEngine) -> None:
    fake.answers["PUT", "/x"] = Answer(body={})
    engine.ask(Call("PUT", "/x", body=iter([b"ab", b"", b"cd"])))
    assert fake.asked[0].body == b"abcd"
    assert fake.asked[0].headers["transfer-encoding"] == "chunked"


def test_a_hijacked_connection_goes_both_ways_and_closes_by_halves(
    engine: Engine, fake: FakeEngine
) -> None:
    def echo(connection: socket.socket) -> None:
        received = b""
        while data := connection.recv(100):
            received += data
        connection.sendall(frame(STDOUT, received.upper()))

    fake.answers["POST", "/x"] = Answer(hijacker=echo)
    with engine.two_way(TwoWay("POST", "/x"), raw=False) as stream:
        stream.send(b"hello ")
        assert stream.send_some(b"there") == 5
        stream.close_write()
        assert list(stream) == [(STDOUT, b"HELLO THERE")]
    assert fake.asked[0].headers["upgrade"] == "tcp"


def test_a_connection_that_the_engine_has_closed_is_not_used_again(
    engine: Engine, fake: FakeEngine
) -> None:
    fake.answers["GET", "/x"] = Answer(body=1, headers={"Connection": "close"})
    assert [engine.ask(Call("GET", "/x")) for _ in range(2)] == [1, 1]


def test_many_requests_are_under_way_at_once_and_answered_in_order(
    engine: Engine, fake: FakeEngine
) -> None:
    import threading

    all_there = threading.Barrier(3, timeout=10)

    class Waiting(dict[tuple[str, str], Answer]):
        def get(self, key: tuple[str, str], default: object = None) -> Answer:
            all_there.wait()
            return Answer(200, key[1]) if key[1] != "/b" else Answer(404, {"message": "no"})

    fake.answers = Waiting()
    answers = list(engine.ask_all([Call("GET", path) for path in ("/a", "/b", "/c")]))
    assert answers[0] == "/a"
    assert isinstance(answers[1], NotFound)
    assert answers[2] == "/c"


def test_nobody_there(tmp_path: object) -> None:
    engine = Engine(Endpoint.parse(f"unix://{tmp_path}/none.sock"))
    with pytest.raises(CannotConnect, match="Cannot connect to the Docker daemon at unix://"):
        engine.ask(Call("GET", "/x"))


def test_an_engine_that_breaks_off_is_told(engine: Engine, fake: FakeEngine) -> None:
    def gone(connection: socket.socket) -> None:
        connection.close()

    assert engine.version
    fake.answers["GET", "/x"] = Answer(body=b"short", headers={"Content-Length": "100"})
    with pytest.raises((Unavailable, ValueError)):
        engine.ask(Call("GET", "/x"))


def test_bytes_come_as_they_are(engine: Engine, fake: FakeEngine) -> None:
    fake.answers["GET", "/x"] = Answer(chunks=(b"ab", b"c"))
    assert b"".join(engine.pieces(Pieces("GET", "/x"))) == b"abc"


def test_references_and_queries_are_encoded() -> None:
    call = containers.inspect("a/b?c#d", size=True)
    assert call.target == "/containers/a/b%3Fc%23d/json?size=1"
    assert containers.rename("x", "ä&b").target == "/containers/x/rename?name=%C3%A4%26b"
