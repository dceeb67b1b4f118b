"""The typed faces: every verb declared once, with the same names and answers on both."""

import inspect
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest

from knarr.client import AsyncClient, Client, asynchronous, sync
from knarr.client.calls import containers, execs, images, networks, system, volumes
from knarr.client.verbs import answer_type, decoded
from knarr.errors import NotFound
from knarr.http.frames import STDERR, STDOUT, frame
from knarr.spec.docker.container import ContainerCreate, ContainerSummary
from knarr.spec.docker.exec import ExecCreate
from support.fake_engine import Answer, FakeEngine, fake_engine

CALLS: tuple[ModuleType, ...] = (containers, execs, images, networks, system, volumes)
NOUNS = ("Containers", "Execs", "Images", "Networks", "Volumes", "System")
VERBS = [
    (module, name)
    for module in CALLS
    for name, value in vars(module).items()
    if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
]
# Shown in another form than the request has: through logs(), attach(), start() of the noun, or as a
# header of the answer, or knarr's own.
OTHERWISE = {"logs", "attach", "start", "stat_path", "bootstrap"}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


@pytest.mark.parametrize(
    ("module", "name"), VERBS, ids=lambda each: getattr(each, "__name__", each)
)
def test_every_verb_is_explained_and_its_answer_is_a_known_document(
    module: ModuleType, name: str
) -> None:
    verb = getattr(module, name)
    assert verb.__doc__, f"{name} has no help"
    kind = verb.__annotations__["return"]
    if kind.startswith(("Call[", "Lines[")):
        answer_type(verb)  # every name in it is a document's
    else:
        assert kind in ("Pieces", "Output", "TwoWay")


@pytest.mark.parametrize("noun", NOUNS)
def test_both_faces_have_the_same_verbs_with_the_same_arguments(noun: str) -> None:
    waiting, awaited = getattr(sync, noun), getattr(asynchronous, f"Async{noun}")
    names = {name for name in vars(waiting) if not name.startswith("_")}
    assert names == {name for name in vars(awaited) if not name.startswith("_")}
    for name in names:
        one, other = (
            inspect.signature(getattr(waiting, name)),
            inspect.signature(getattr(awaited, name)),
        )
        assert list(one.parameters) == list(other.parameters)


def test_every_verb_is_on_a_face() -> None:
    shown = {name for noun in NOUNS for name in vars(getattr(sync, noun))}
    missing = {name.removesuffix("_") if name == "list_" else name for _, name in VERBS}
    assert missing - shown - OTHERWISE == set()


def test_a_list_that_the_engine_says_as_null_is_empty() -> None:
    kind = answer_type(containers.changes)
    assert decoded(b"null\n", kind) == ()
    assert decoded(b'[{"Path":"/x","Kind":1}]', kind)[0].path == "/x"


def test_answers_are_documents(engine: FakeEngine) -> None:
    row = {"Id": "abc", "Names": ["/x"], "Image": "i", "Created": 1, "Labels": None, "Ports": None}
    engine.answers["GET", "/containers/json"] = Answer(body=[row])
    with Client(engine.host) as client:
        (found,) = client.containers.list(all_=True)
    assert isinstance(found, ContainerSummary)
    assert (found.id, found.names, found.ports) == ("abc", ("/x",), ())
    assert engine.requests() == ["GET /containers/json?all=1"]


def test_a_document_is_a_body(engine: FakeEngine) -> None:
    engine.answers["POST", "/containers/create"] = Answer(201, {"Id": "abc"})
    with Client(engine.host) as client:
        created = client.containers.create(ContainerCreate(image="x", tty=True), name="n")
    assert created.id == "abc"
    assert engine.asked[0].document["Tty"] is True
    assert engine.asked[0].query == {"name": ["n"]}


def test_a_failure_has_its_meaning(engine: FakeEngine) -> None:
    with Client(engine.host) as client, pytest.raises(NotFound):
        client.containers.inspect("x")


def prepare_exec(engine: FakeEngine) -> None:
    def say(connection: Any) -> None:
        connection.sendall(frame(STDOUT, b"out") + frame(STDERR, b"err"))

    engine.answers["POST", "/containers/c/exec"] = Answer(201, {"Id": "e"})
    engine.answers["POST", "/exec/e/start"] = Answer(hijacker=say)
    engine.answers["GET", "/exec/e/json"] = Answer(body={"ID": "e", "ExitCode": 3})


def test_a_program_in_a_container_is_run_to_its_end(engine: FakeEngine) -> None:
    prepare_exec(engine)
    with Client(engine.host) as client:
        assert client.exec.run("c", ExecCreate(cmd=("x",))) == (3, b"out", b"err")


async def test_the_same_without_waiting(engine: FakeEngine) -> None:
    prepare_exec(engine)
    engine.answers["GET", "/containers/c/json"] = Answer(body={"Id": "c", "Config": {"Tty": False}})
    engine.answers["GET", "/containers/c/logs"] = Answer(chunks=(frame(STDERR, b"e"),))
    engine.answers["GET", "/events"] = Answer(chunks=(b'{"Type":"a"}\n{"Ty', b'pe":"b"}\n'))
    async with AsyncClient(engine.host) as client:
        assert await client.exec.run("c", ExecCreate(cmd=("x",))) == (3, b"out", b"err")
        assert [pair async for pair in client.containers.logs("c")] == [("stderr", b"e")]
        events: AsyncIterator[Any] = client.system.events()
        assert [event.type async for event in events] == ["a", "b"]
        with pytest.raises(NotFound):
            await client.volumes.inspect("none")


async def test_requests_run_side_by_side(engine: FakeEngine) -> None:
    import asyncio
    import threading

    all_there = threading.Barrier(3, timeout=10)

    class Waiting(dict[tuple[str, str], Answer]):
        def get(self, key: tuple[str, str], default: object = None) -> Answer:
            all_there.wait()
            return Answer(body={"Name": key[1], "Driver": "", "Mountpoint": "", "Scope": "",
                                "Labels": None, "Options": None})  # fmt: skip

    async with AsyncClient(engine.host, version="1.51") as client:
        engine.answers = Waiting()
        found = await asyncio.gather(*(client.volumes.inspect(name) for name in "abc"))
        assert [volume.name for volume in found] == ["/volumes/a", "/volumes/b", "/volumes/c"]


async def test_a_two_way_stream_closes_by_halves(engine: FakeEngine) -> None:
    def echo(connection: Any) -> None:
        received = b""
        while data := connection.recv(100):
            received += data
        connection.sendall(frame(STDOUT, received.upper()))

    engine.answers["GET", "/containers/c/json"] = Answer(body={"Id": "c", "Config": {"Tty": False}})
    engine.answers["POST", "/containers/c/attach"] = Answer(hijacker=echo)
    async with AsyncClient(engine.host) as client, await client.containers.attach("c") as stream:
        await stream.send(b"hello")
        stream.close_write()
        assert [pair async for pair in stream] == [(STDOUT, b"HELLO")]


def test_the_environment_names_the_engine(engine: FakeEngine) -> None:
    engine.answers["GET", "/version"] = Answer(body={"Version": "9"})
    for name in ("KNARR_HOST", "DOCKER_HOST"):
        with Client(environ={name: engine.host}) as client:
            assert client.system.version().version == "9"
