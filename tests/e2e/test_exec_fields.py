"""Each field of an exec's bodies, and what start, attach and resize are asked by their queries."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import knarr.api.attach
import knarr.api.containers
import knarr.api.exec  # noqa: F401
from knarr.api.router import declared
from knarr.spec.docker.exec import ExecCreate, ExecStart
from support.conversation import Conversation, by_stream
from support.daemon import Daemon
from support.effects import fields
from support.waiting import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

BOX = "field-exec"
SAYS = ["sh", "-c", "echo out; echo err >&2"]
Json = dict[str, Any]


class Execs:
    """Further processes in one container, each told what to be by its two bodies."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def create(self, **create: object) -> str:
        body = {"Cmd": SAYS, **create}
        return str(self.daemon.ask("POST", f"/containers/{BOX}/exec", body)["Id"])

    def start(self, made: str, **start: object) -> Conversation:
        return Conversation(self.daemon, f"/exec/{made}/start", start)

    def told(self, made: str) -> Json:
        found: Json = self.daemon.ask("GET", f"/exec/{made}/json")
        return found

    def events(self) -> list[str]:
        now = f"{time.time():.9f}"
        words = ("events", "--since=0", f"--until={now}", "--format={{.Action}}")
        return self.daemon.docker(*words, f"--filter=container={BOX}").stdout.splitlines()


@pytest.fixture(scope="module")
def execs(daemon: Daemon) -> Iterator[Execs]:
    daemon.docker("run", "-d", "--name", BOX, "busybox", "sleep", "1000")
    yield Execs(daemon)
    daemon.docker("rm", "-f", BOX)


def output(execs: Execs, start: Json | None = None, /, **create: Any) -> bytes:
    """What comes of one, with frames or without."""
    return execs.start(execs.create(**create), **(start or {})).rest()


def stdin(execs: Execs) -> object:
    made = execs.create(Cmd=["head", "-n1"], AttachStdin=True, AttachStdout=True)
    conversation = execs.start(made)
    conversation.type(b"typed\n")
    return by_stream(conversation.rest())


def detached(execs: Execs) -> object:
    """Keys of its own end the conversation; the process goes on."""
    made = execs.create(
        Cmd=["cat"], AttachStdin=True, AttachStdout=True, Tty=True, DetachKeys="x,y"
    )
    conversation = execs.start(made, Tty=True)
    conversation.type(b"ahoy\n")
    conversation.expect(b"ahoy\r\nahoy\r\n")
    conversation.type(b"xy")
    conversation.rest()
    return execs.told(made)["Running"], "exec_detach" in execs.events()


def in_the_background(execs: Execs) -> object:
    made = execs.create(Cmd=["sleep", "1000"])
    status, answer = execs.daemon.answer("POST", f"/exec/{made}/start", {"Detach": True})
    return status, answer, execs.told(made)["Running"]


def shown(**create: Any) -> Callable[[Execs], object]:
    return lambda execs: by_stream(output(execs, AttachStdout=True, **create)).get(1)


ON_TERMINAL = {"AttachStdout": True, "Tty": True, "Cmd": ["stty", "size"]}

CREATE: list[tuple[Json, Callable[[Execs], object], object]] = [
    ({"AttachStdin": True}, stdin, {1: b"typed\n"}),
    ({"AttachStdout": True}, lambda execs: by_stream(output(execs, AttachStdout=True)),
     {1: b"out\n"}),
    ({"AttachStderr": True}, lambda execs: by_stream(output(execs, AttachStderr=True)),
     {2: b"err\n"}),
    ({"ConsoleSize": [33, 99]},
     lambda execs: output(execs, {"Tty": True}, ConsoleSize=[33, 99], **ON_TERMINAL),
     b"33 99\r\n"),
    ({"DetachKeys": "x,y"}, detached, (True, True)),
    ({"Tty": True},
     lambda execs: output(execs, {"Tty": True}, AttachStdout=True, Tty=True, Cmd=["tty"])[:9],
     b"/dev/pts/"),
    ({"Env": ["A=b c"]}, shown(Env=["A=b c"], Cmd=["sh", "-c", "echo $A"]), b"b c\n"),
    ({"Cmd": ["echo", "a b"]}, shown(Cmd=["echo", "a b"]), b"a b\n"),
    ({"Privileged": True},
     lambda execs: capabilities(execs, Privileged=True) > capabilities(execs), True),
    ({"User": "7:8"}, shown(User="7:8", Cmd=["id", "-u"]), b"7\n"),
    ({"WorkingDir": "/tmp"}, shown(WorkingDir="/tmp", Cmd=["pwd"]), b"/tmp\n"),
]  # fmt: skip

START: list[tuple[Json, Callable[[Execs], object], object]] = [
    ({"Detach": True}, in_the_background, (200, b"", True)),
    ({"Tty": True}, lambda execs: output(execs, {"Tty": True}, AttachStdout=True), b"out\n"),
    ({"Tty": False}, lambda execs: output(execs, {"Tty": False}, AttachStdout=True)[:1], b"\1"),
    ({"ConsoleSize": [44, 88]},
     lambda execs: output(execs, {"Tty": True, "ConsoleSize": [44, 88]}, **ON_TERMINAL),
     b"44 88\r\n"),
]  # fmt: skip


def capabilities(execs: Execs, **create: Any) -> int:
    said = shown(Cmd=["grep", "CapEff", "/proc/self/status"], **create)(execs)
    assert isinstance(said, bytes)
    return int(said.split()[1], 16)


@pytest.mark.parametrize(
    ("sent", "seen", "expected"), [*CREATE, *START], ids=lambda each: "-".join(each)
    if isinstance(each, dict) and all(isinstance(key, str) for key in each) else "",
)  # fmt: skip
def test_a_field_of_an_exec_has_its_effect(
    execs: Execs, sent: Json, seen: Callable[[Execs], object], expected: object
) -> None:
    assert seen(execs) == expected


@pytest.mark.parametrize(("kind", "rows"), [(ExecCreate, CREATE), (ExecStart, START)])
def test_no_field_of_an_exec_is_without_a_row(
    kind: type, rows: list[tuple[Json, Any, Any]]
) -> None:
    assert fields(kind) == set().union(*(fields(kind, sent) for sent, _, _ in rows))


# Queries


@pytest.fixture
def cat(daemon: Daemon) -> Iterator[str]:
    """A container with a terminal that says again what is typed, not started yet."""
    name = "field-cat"
    body = {"Image": "busybox", "Cmd": ["cat"], "Tty": True, "OpenStdin": True}
    daemon.ask("POST", f"/containers/create?name={name}", body)
    yield name
    daemon.docker("rm", "-f", name)


def attached(daemon: Daemon, name: str, query: str = "stdin=1&stdout=1") -> Conversation:
    return Conversation(daemon, f"/containers/{name}/attach?stream=1&{query}")


def echoes(conversation: Conversation, text: bytes) -> None:
    conversation.type(text + b"\n")
    conversation.expect(text + b"\r\n" + text + b"\r\n")


def test_keys_that_a_start_names_detach_who_names_none(daemon: Daemon, cat: str) -> None:
    before = attached(daemon, cat)
    daemon.ask("POST", f"/containers/{cat}/start?detachKeys=x,y")
    echoes(before, b"one")
    after = attached(daemon, cat)
    own = attached(daemon, cat, "stdin=1&stdout=1&detachKeys=a,b")
    for conversation, keys in ((before, b"xy"), (after, b"xy"), (own, b"ab")):
        conversation.type(keys)
        conversation.rest()
    assert daemon.docker("inspect", "-f", "{{.State.Running}}", cat).stdout == "true\n"
    daemon.docker("kill", cat)
    daemon.ask("POST", f"/containers/{cat}/start")
    usual = attached(daemon, cat)
    echoes(usual, b"xy")
    usual.type(b"\x10\x11")
    usual.rest()


def test_keys_that_are_none_are_refused(daemon: Daemon, cat: str) -> None:
    for target in (
        f"/containers/{cat}/start?detachKeys=ctrl-1",
        f"/containers/{cat}/attach?detachKeys=no",
    ):
        status, answer = daemon.answer("POST", target)
        assert status == 400
        assert b"Invalid detach keys" in answer


@pytest.mark.parametrize("query", ["checkpoint=x", "checkpoint-dir=/x"])
def test_checkpoints_are_refused_by_name(daemon: Daemon, cat: str, query: str) -> None:
    status, answer = daemon.answer("POST", f"/containers/{cat}/start?{query}")
    assert status == 501
    assert b"heckpoint" in answer


def test_what_was_said_before_what_comes_and_what_is_typed_are_asked_for_apart(
    daemon: Daemon,
) -> None:
    name = "field-talk"
    script = "echo before; echo BEFORE >&2; read line; echo $line; echo LATE >&2; read line"
    daemon.docker("run", "-d", "-i", "--name", name, "busybox", "sh", "-c", script)
    try:
        until(lambda: "BEFORE" in daemon.docker("logs", name).stderr)

        def said(query: str) -> dict[int, bytes]:
            return by_stream(Conversation(daemon, f"/containers/{name}/attach?{query}").rest())

        assert said("logs=1&stdout=1") == {1: b"before\n"}
        assert said("logs=1&stderr=1") == {2: b"BEFORE\n"}
        assert said("logs=0&stdout=1&stderr=1") == {}
        out = attached(daemon, name, "stdout=1")
        err = attached(daemon, name, "stderr=1&logs=1")
        deaf = attached(daemon, name, "stdout=1")
        deaf.type(b"not for it\n")  # without stdin=1
        typing = attached(daemon, name, "stdin=1")
        typing.type(b"typed\n")
        until(lambda: "typed" in daemon.docker("logs", name).stdout)
        typing.type(b"end\n")
        assert by_stream(out.rest()) == by_stream(deaf.rest()) == {1: b"typed\n"}
        assert by_stream(err.rest()) == {2: b"BEFORE\nLATE\n"}
        assert typing.rest() == b""
    finally:
        daemon.docker("rm", "-f", name)


def test_a_terminal_is_resized_by_rows_and_columns(daemon: Daemon, execs: Execs, cat: str) -> None:
    daemon.ask("POST", f"/containers/{cat}/start")
    daemon.answer("POST", f"/containers/{cat}/resize?h=31&w=91")
    found = daemon.docker("exec", cat, "sh", "-c", "stty size </dev/pts/0").stdout
    assert found == "31 91\n"
    made = execs.create(Cmd=["sh", "-c", "read x; stty size"], AttachStdin=True, AttachStdout=True,
                        Tty=True)  # fmt: skip
    conversation = execs.start(made, Tty=True)
    until(lambda: daemon.answer("POST", f"/exec/{made}/resize?h=32&w=92")[0] == 200)
    conversation.type(b"\n")
    assert conversation.rest().endswith(b"32 92\r\n")


def test_a_container_gets_the_name_and_the_platform_of_the_query(daemon: Daemon) -> None:
    target = "/containers/create?name=field-named&platform="
    status, answer = daemon.answer("POST", f"{target}windows/amd64", {"Image": "busybox"})
    assert status == 404
    assert b"does not provide the specified platform (windows/amd64)" in answer
    daemon.ask("POST", f"{target}linux", {"Image": "busybox"})
    assert daemon.ask("GET", "/containers/field-named/json")["Platform"] == "linux"
    daemon.ask("DELETE", "/containers/field-named")


SEEN_ABOVE = {
    "POST /containers/create": {"name", "platform"},
    "POST /containers/{ref}/start": {"detach_keys", "checkpoint", "checkpoint_dir"},
    "POST /containers/{ref}/attach": {"detach_keys", "logs", "stream", "stdin", "stdout", "stderr"},
    "POST /containers/{ref}/resize": {"h", "w"},
    "POST /exec/{exec_id}/resize": {"h", "w"},
}


def test_no_query_of_these_is_without_a_test() -> None:
    known = {f"{each.method} {each.template}": set(each.query) for each in declared()}
    assert {name: known[name] for name in SEEN_ABOVE} == SEEN_ABOVE
