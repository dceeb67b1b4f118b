"""The engine over TCP: with certificates on both sides, and what is refused without them."""

import http.client
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from knarr.client import AsyncClient, Client
from knarr.client.endpoint import Tls
from knarr.spec.docker.container import ContainerCreate
from support import images
from support.certificates import make_certificates
from support.daemon import Daemon, running_daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox", "openssl")
BIG = 5_000_000  # bytes, more than all buffers on the way


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Far:
    """An engine that is reached by TCP, and the folder of certificates for it."""

    daemon: Daemon
    host: str
    certificates: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.daemon.environment,
            "KNARR_HOST": "",
            "DOCKER_HOST": self.host,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(self.certificates),
        }


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder = make_certificates(tmp_path_factory.mktemp("tls"))
    host = f"tcp://127.0.0.1:{free_port()}"
    flags = (
        "-H", host, "--tlsverify", "--tlscacert", str(folder / "ca.pem"),
        "--tlscert", str(folder / "cert.pem"), f"--tlskey={folder / 'key.pem'}",
    )  # fmt: skip
    with running_daemon(*flags) as daemon:
        archive = daemon.folder / "busybox.tar"
        archive.write_bytes(images.busybox())
        assert daemon.docker("load", "-i", str(archive)).returncode == 0
        yield Far(daemon, host, folder)


def called(
    argv: tuple[str, ...], environment: Mapping[str, str], typed: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv, env=environment, input=typed, capture_output=True, text=True, timeout=60, check=False
    )


KNARR = (sys.executable, "-m", "knarr")


@pytest.mark.parametrize("cli", [("docker",), KNARR], ids=["docker", "knarr"])
def test_input_ends_and_all_of_the_output_still_comes(far: Far, cli: tuple[str, ...]) -> None:
    script = f"cat; head -c {BIG} /dev/zero | tr '\\0' x; echo; echo end"
    ran = called(
        (*cli, "run", "-i", "--rm", "--network", "none", "busybox", "sh", "-c", script),
        far.environment,
        typed="typed\n",
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "typed\n" + "x" * BIG + "\nend\n"


@pytest.mark.parametrize("cli", [("docker",), KNARR], ids=["docker", "knarr"])
def test_flags_and_contexts_name_the_certificates_too(far: Far, cli: tuple[str, ...]) -> None:
    plain = {**far.daemon.environment, "KNARR_HOST": "", "DOCKER_HOST": ""}
    folder = far.certificates
    flags = ("--tlsverify", "--tlscacert", f"{folder}/ca.pem", "--tlscert", f"{folder}/cert.pem",
             "--tlskey", f"{folder}/key.pem", "-H", far.host)  # fmt: skip
    asked = called((*cli, *flags, "version", "--format", "{{.Server.Platform.Name}}"), plain)
    assert (asked.stdout, asked.returncode) == ("knarr\n", 0), asked.stderr
    endpoint = f"host={far.host},ca={folder}/ca.pem,cert={folder}/cert.pem,key={folder}/key.pem"
    made = called((*cli, "context", "create", f"by-{cli[-1]}", "--docker", endpoint), plain)
    assert made.returncode == 0, made.stderr
    asked = called((*cli, "-c", f"by-{cli[-1]}", "ps", "-q"), plain)
    assert (asked.stdout, asked.stderr, asked.returncode) == ("", "", 0)


def test_the_library_talks_both_ways(far: Far) -> None:
    with Client(far.host, tls=Tls.folder(str(far.certificates))) as client:
        body = ContainerCreate(image="busybox", cmd=("cat",), open_stdin=True, stdin_once=True)
        made = client.containers.create(body)
        with client.containers.attach(made.id) as stream:
            client.containers.start(made.id)
            stream.send(b"typed\n")
            stream.close_write()
            assert b"".join(data for _, data in stream) == b"typed\n"
        client.containers.remove(made.id, force=True)


async def test_the_library_talks_both_ways_in_coroutines(far: Far) -> None:
    async with AsyncClient(far.host, tls=Tls.folder(str(far.certificates))) as client:
        script = f"cat; head -c {BIG} /dev/zero | tr '\\0' x"
        body = ContainerCreate(
            image="busybox", cmd=("sh", "-c", script), open_stdin=True, stdin_once=True
        )
        made = await client.containers.create(body)
        async with await client.containers.attach(made.id) as stream:
            await client.containers.start(made.id)
            await stream.send(b"typed\n" * 10_000)
            stream.close_write()
            said = b"".join([data async for _, data in stream])
        assert said == b"typed\n" * 10_000 + b"x" * BIG
        await client.containers.remove(made.id, force=True)


def test_strangers_are_turned_away(far: Far, tmp_path: Path) -> None:
    address = ("127.0.0.1", int(far.host.rpartition(":")[2]))
    with socket.create_connection(address) as plain:
        plain.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"OK" not in plain.recv(100)
    strangers = make_certificates(tmp_path / "strangers")
    context = ssl.create_default_context(cafile=str(far.certificates / "ca.pem"))
    for chain in ((), (strangers / "cert.pem", strangers / "key.pem")):
        if chain:
            context.load_cert_chain(*chain)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ping(address, context)


def ping(address: tuple[str, int], context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(address) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        secured.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        if not (answer := secured.recv(100)):
            raise ConnectionError("closed")
        return answer


def refused(*flags: str, tmp_path: Path) -> str:
    ended = called(
        (*KNARR, "daemon", "--data-root", str(tmp_path / "d"), "--run-root", str(tmp_path / "r"),
         *flags), dict(os.environ),
    )  # fmt: skip
    assert ended.returncode == 1
    return ended.stderr


def test_plain_tcp_is_refused(tmp_path: Path) -> None:
    said = refused("-H", f"tcp://127.0.0.1:{free_port()}", tmp_path=tmp_path)
    assert "without TLS would make everyone who reaches it root of this machine" in said


def test_plain_tcp_never_leaves_the_machine(tmp_path: Path) -> None:
    unsafe = "--plain-tcp-makes-every-local-user-root"
    said = refused("-H", f"tcp://0.0.0.0:{free_port()}", unsafe, tmp_path=tmp_path)
    assert "is reached from other machines" in said


def test_plain_tcp_on_loopback_is_for_programs_that_asked_for_it_by_name() -> None:
    host = f"tcp://127.0.0.1:{free_port()}"
    with running_daemon("-H", host, "--plain-tcp-makes-every-local-user-root") as daemon:
        environment = {**daemon.environment, "DOCKER_HOST": host}
        assert called(("docker", "version"), environment).returncode == 0
        for name, value in (("Origin", "https://page.example"), ("Host", "page.example")):
            connection = http.client.HTTPConnection("127.0.0.1", int(host.rpartition(":")[2]))
            connection.request("GET", "/version", headers={name: value})
            answer = connection.getresponse()
            assert answer.status == 403
            assert b"not for web pages" in answer.read()
            connection.close()
