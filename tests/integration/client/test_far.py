"""Engines that are far: over TLS with the half close of a hijack, and through ssh.

TLS is Python's own server with certificates made by openssl; ssh is a program of that name that
runs ``system dial-stdio`` here, as the real one would there.
"""

import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import knarr
from knarr.client import AsyncClient, Client
from knarr.client.blocking import CannotConnect, Engine
from knarr.client.call import Call, TwoWay
from knarr.client.endpoint import Endpoint, Tls
from knarr.errors import Unavailable
from support.certificates import make_certificates
from support.fake_engine import Answer, FakeEngine, fake_engine

needs_openssl = pytest.mark.needs("openssl")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and one key and certificate for localhost that both sides use."""
    return make_certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def tls_server(certificates: Path, serve: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    """A server that asks for the client's certificate; answers with its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    serve(secure)
            except (OSError, ssl.SSLError):
                continue

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def head_of(connection: ssl.SSLSocket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(1000)
        if not piece:
            return b""
        head += piece
    return head


def one_value(connection: ssl.SSLSocket) -> None:
    """Answers every request with the JSON value 7."""
    while head_of(connection):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1\r\n\r\n7"
        )


def hijack(connection: ssl.SSLSocket) -> None:
    """After the ping, echoes in capitals what came until the client closed its half."""
    if head_of(connection).startswith(b"HEAD"):
        connection.sendall(b"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 0\r\n\r\n")
        head_of(connection)
    connection.sendall(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    received = b""
    while data := connection.recv(70_000):
        received += data
    connection.sendall(received.upper())


def endpoint(port: int, certificates: Path, **options: bool) -> Endpoint:
    tls = Tls.folder(str(certificates), **options)
    return Endpoint.parse(f"tcp://localhost:{port}", tls=tls)


@needs_openssl
def test_requests_over_tls_with_certificates_of_both_sides(certificates: Path) -> None:
    with (
        tls_server(certificates, one_value) as port,
        Engine(endpoint(port, certificates)) as engine,
    ):
        assert [engine.ask(Call("GET", "/x")) for _ in range(3)] == [7, 7, 7]


@needs_openssl
async def test_requests_over_tls_without_waiting(certificates: Path) -> None:
    tls = Tls.folder(str(certificates))
    with tls_server(certificates, one_value) as port:
        async with AsyncClient(f"tcp://localhost:{port}", tls=tls) as client:
            assert await client.engine.ask(Call("GET", "/x")) == 7


@needs_openssl
def test_a_hijacked_connection_over_tls_closes_by_halves(certificates: Path) -> None:
    sent = b"x" * 200_000
    with (
        tls_server(certificates, hijack) as port,
        Engine(endpoint(port, certificates)) as engine,
        engine.two_way(TwoWay("POST", "/x"), raw=True) as stream,
    ):
        left = sent
        while left:
            left = left[stream.send_some(left) :]
        stream.close_write()
        assert b"".join(data for _, data in stream) == sent.upper()


@needs_openssl
def test_a_server_that_cannot_prove_itself_is_refused(certificates: Path, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):  # without the CA's file the system's own is asked
        (tmp_path / name).write_bytes((certificates / name).read_bytes())
    with tls_server(certificates, one_value) as port:
        with Engine(endpoint(port, tmp_path)) as engine, pytest.raises(Unavailable, match="verify"):
            engine.ask(Call("GET", "/x"))
        with Engine(endpoint(port, tmp_path, verify=False)) as engine:
            assert engine.ask(Call("GET", "/x")) == 7


def test_nobody_listens() -> None:
    with pytest.raises(CannotConnect, match="Cannot connect to the Docker daemon at tcp://"):
        Engine(Endpoint.parse("tcp://127.0.0.1:1")).ask(Call("GET", "/x"))


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        engine.answers["GET", "/version"] = Answer(body={"Version": "far"})
        yield engine


@pytest.fixture
def ssh(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ``ssh`` that notes its arguments and dials the engine from here."""
    source = Path(knarr.__file__).parent.parent
    program = tmp_path / "ssh"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >{tmp_path}/said\n'
        f"exec env DOCKER_HOST={engine.host} PYTHONPATH={source} {sys.executable} -m knarr "
        "system dial-stdio\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_an_engine_behind_ssh(ssh: Path) -> None:
    with Client("ssh://me@far:2222") as client:
        assert client.system.version().version == "far"
    said = (ssh / "said").read_text()
    assert said == "-o ConnectTimeout=30 -T -l me -p 2222 -- far docker system dial-stdio\n"


async def test_an_engine_behind_ssh_without_waiting(ssh: Path) -> None:
    async with AsyncClient("ssh://far") as client:
        assert (await client.system.version()).version == "far"


def test_a_hijacked_connection_behind_ssh_closes_by_halves(ssh: Path, engine: FakeEngine) -> None:
    def echo(connection: socket.socket) -> None:
        received = b""
        while data := connection.recv(1000):
            received += data
        connection.sendall(received.upper())

    engine.answers["POST", "/x"] = Answer(hijacker=echo)
    far = Engine(Endpoint.parse("ssh://far"))
    with far, far.two_way(TwoWay("POST", "/x"), raw=True) as stream:
        stream.send(b"hello")
        stream.close_write()
        assert b"".join(data for _, data in stream) == b"HELLO"


def test_what_ssh_says_of_its_failure_is_told(ssh: Path) -> None:
    (ssh / "ssh").write_text("#!/bin/sh\necho 'no route to far' >&2\nexit 255\n")
    with pytest.raises(Unavailable, match=r"(?s)exit status 255.*no route to far"):
        Client("ssh://far").system.version()
