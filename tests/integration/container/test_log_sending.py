"""Logs sent to servers that a test plays: none of the lines is lost, whatever happens to them."""

import asyncio
import dataclasses
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knarr.container.logs.sending import LogSender
from knarr.container.model import Container, Status
from knarr.container.registry import ContainerRegistry
from knarr.errors import KnarrError
from knarr.ids import ContainerId, Digest, ImageId, new_hex
from knarr.keeper.record import LogWriter
from knarr.spec.docker.container import ContainerConfig, HostConfig, LogConfig
from knarr.spec.record import ContainerRecord
from support.journald import own_journal

_SECONDS = 10


class Server:
    """A stream server that keeps what came."""

    def __init__(self) -> None:
        self.received = b""
        self.connections: list[asyncio.StreamWriter] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        while piece := await reader.read(65536):
            self.received += piece
        writer.close()

    async def has(self, text: bytes) -> None:
        async with asyncio.timeout(_SECONDS):
            while text not in self.received:
                await asyncio.sleep(0.01)


class Box:
    """A container's log, and the sender that a daemon would have."""

    def __init__(self, folder: Path, tasks: asyncio.TaskGroup) -> None:
        self.folder, self.journal = folder, folder / "journal"
        self.senders: list[LogSender] = []
        self._tasks = tasks
        self.registry = ContainerRegistry()
        self.writer = LogWriter(str(folder / "log"), 1 << 20, 5)
        self.writer.begin(1)
        self.id = ContainerId(new_hex())

    def container(self, driver: str, **options: str) -> Container:
        spelled = {name.replace("_", "-"): value for name, value in options.items()}
        made = Container(
            id=self.id,
            name="web",
            image=ImageId(Digest("sha256:" + "0" * 64)),
            created_ns=1,
            record=ContainerRecord(
                config=ContainerConfig(),
                host=HostConfig(log_config=LogConfig(type=driver, config=spelled)),
                image_name="busybox",
                diff_ids=(),
            ),
        ).started(pid=1, at_ns=1)
        self.registry.put(made)
        return made

    def say(self, *words: str) -> None:
        for word in words:
            self.writer.write(1, f"{word}\n".encode(), 2)

    def sender(self) -> LogSender:
        made = LogSender(
            self.registry, lambda _: self.folder / "log", self._tasks, journal=str(self.journal)
        )
        self.senders.append(made)
        return made

    async def sent(self) -> None:
        """Until it is written down that all there is has been sent."""
        async with asyncio.timeout(_SECONDS):
            place, known = b"%010d %020d" % self.writer.place, self.folder / "log-sent"
            while not known.exists() or known.read_bytes() != place:
                await asyncio.sleep(0.01)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    async with asyncio.TaskGroup() as tasks:
        box = Box(tmp_path, tasks)
        yield box
        for sender in box.senders:
            sender.close()


async def test_a_server_that_goes_away_gets_the_rest_when_it_is_back(box: Box) -> None:
    path, server = str(box.folder / "server"), Server()
    listening = await asyncio.start_unix_server(server.talk, path)
    container = box.container("syslog", syslog_address=f"unix://{path}")
    sender = box.sender()
    await sender.check(container)
    sender.begin(container)
    box.say("one")
    await server.has(b"one\n")
    await box.sent()
    listening.close()
    for connection in server.connections:
        connection.close()
    (box.folder / "server").unlink()
    again = Server()
    box.say("two")
    await asyncio.sleep(0)
    listening = await asyncio.start_unix_server(again.talk, path)
    box.say("three")
    await again.has(b"three\n")
    assert b"two\n" in again.received
    box.writer.end(3)
    await sender.finish(container.id)
    listening.close()


async def test_the_next_daemon_goes_on_where_the_last_one_was(box: Box) -> None:
    path, server = str(box.folder / "server"), Server()
    listening = await asyncio.start_unix_server(server.talk, path)
    container = box.container("syslog", syslog_address=f"unix://{path}")
    sender = box.sender()
    sender.begin(container)
    box.say("one", "two")
    await server.has(b"two\n")
    await box.sent()
    sender.close()
    box.say("three")
    box.writer.end(3)
    box.registry.put(container.exited(code=0, at_ns=3))
    following = box.sender()
    following.begin(container)
    await following.finish(container.id)
    await server.has(b"three\n")
    assert [server.received.count(word) for word in (b"one", b"two", b"three")] == [1, 1, 1]
    after = box.sender()
    after.begin(container)  # a run that is over and told: nothing to do, and no waiting for more
    await after.finish(container.id)
    assert server.received.count(b"three") == 1
    listening.close()


async def test_a_second_run_is_sent_after_the_first(box: Box) -> None:
    path, server = str(box.folder / "server"), Server()
    listening = await asyncio.start_unix_server(server.talk, path)
    container = box.container("syslog", syslog_address=f"unix://{path}")
    sender = box.sender()
    sender.begin(container)
    box.say("first")
    box.writer.end(3)
    await server.has(b"first\n")
    box.writer.begin(4)
    sender.begin(container)
    box.say("second")
    await server.has(b"second\n")
    box.writer.end(5)
    box.registry.put(dataclasses.replace(container, status=Status.EXITED))
    await sender.finish(container.id)
    listening.close()


async def test_datagrams_to_a_socket_and_over_udp(box: Box) -> None:
    local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    local.bind(str(box.folder / "dgram"))
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.bind(("127.0.0.1", 0))
    box.say("x")
    box.writer.end(3)
    for sock, where in (
        (local, f"unixgram://{box.folder}/dgram"),
        (far, f"udp://127.0.0.1:{far.getsockname()[1]}"),
    ):
        sock.setblocking(False)
        container = box.container("syslog", syslog_address=where, tag="{{.Name}}")
        sender = box.sender()
        sender.begin(container)
        message = await asyncio.wait_for(
            asyncio.get_running_loop().sock_recv(sock, 65536), _SECONDS
        )
        assert message.startswith(b"<30>")
        assert b" web[" in message
        assert message.endswith(b": x\n")
        await sender.finish(container.id)
        (box.folder / "log-sent").unlink()
        sock.close()


async def test_tls_with_a_certificate_of_ones_own(box: Box) -> None:
    key, certificate = box.folder / "key.pem", box.folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server()
    listening = await asyncio.start_server(server.talk, "localhost", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    where = f"tcp+tls://localhost:{port}"
    with pytest.raises(KnarrError, match=r"failed to initialize logging driver: .*certificate"):
        await box.sender().check(box.container("syslog", syslog_address=where))
    with pytest.raises(KnarrError, match="could not load the TLS files /nonexistent"):
        await box.sender().check(
            box.container("syslog", syslog_address=where, syslog_tls_ca_cert="/nonexistent")
        )
    container = box.container(
        "syslog",
        syslog_address=where,
        syslog_tls_ca_cert=str(certificate),
        syslog_format="rfc5424",
    )
    sender = box.sender()
    await sender.check(container)
    sender.begin(container)
    box.say("secret")
    await server.has(b" - secret\n")
    length, _, rest = server.received.partition(b" ")
    assert int(length) == len(rest)
    box.writer.end(3)
    await sender.finish(container.id)
    listening.close()


async def test_the_journal_gets_an_entry_a_line(box: Box) -> None:
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(str(box.journal))
    journal.setblocking(False)
    container = box.container("journald")
    sender = box.sender()
    await sender.check(container)
    sender.begin(container)
    box.writer.write(2, b"to stderr\n" + b"y" * 40_000 + b"\n", 2)
    box.writer.end(3)
    loop = asyncio.get_running_loop()
    entries = [await asyncio.wait_for(loop.sock_recv(journal, 65536), _SECONDS) for _ in range(4)]
    assert b"MESSAGE=to stderr\nPRIORITY=3\n" in entries[0]
    assert f"CONTAINER_ID_FULL={container.id}\n".encode() in entries[0]
    assert [b"CONTAINER_PARTIAL_LAST=true\n" in entry for entry in entries] == [
        False, False, False, True,
    ]  # fmt: skip
    await sender.finish(container.id)
    journal.close()


@pytest.mark.needs("root", "namespaces", "journald")
async def test_systemds_own_journal_takes_what_it_is_sent(box: Box) -> None:
    with own_journal() as journal:
        box.journal = journal.socket
        container = box.container("journald", labels="team", tag="{{.Name}}/blue")
        sender = box.sender()
        await sender.check(container)
        sender.begin(container)
        box.say("ahoy", "a=b\tc")
        box.writer.write(2, b"to stderr\n", 2)
        box.writer.end(3)
        await sender.finish(container.id)
        async with asyncio.timeout(30):
            while len(entries := journal.entries(f"CONTAINER_ID_FULL={container.id}")) < 3:
                await asyncio.sleep(0.05)
    assert [(each["MESSAGE"], each["PRIORITY"]) for each in entries] == [
        ("ahoy", "6"), ("a=b\tc", "6"), ("to stderr", "3"),
    ]  # fmt: skip
    assert {(each["CONTAINER_NAME"], each["CONTAINER_TAG"]) for each in entries} == {
        ("web", "web/blue")
    }


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("journald", {}, r"journald is not enabled on this host \(nobody listens at /.*/journal\)"),
        (
            "syslog",
            {"syslog_address": "tcp://127.0.0.1:1"},
            "dial tcp 127.0.0.1:1: connect:",
        ),
    ],
)
async def test_with_nobody_there_the_start_is_refused(
    box: Box, driver: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises(KnarrError, match=f"^failed to initialize logging driver: {words}"):
        await box.sender().check(box.container(driver, **options))
