"""Attaching: replay of what was written, several clients at once, WebSockets."""

import base64
import os
import socket
import struct
import subprocess
import time

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

_TALK = "echo before; while read line; do echo got $line; [ $line = end ] && exit 4; done"


@pytest.fixture
def name(daemon: Daemon) -> str:
    """A container that echoes lines until it reads ``end``."""
    name = f"attach{os.getpid()}"
    daemon.docker("rm", "-f", name)
    made = daemon.docker("run", "-d", "-i", "--name", name, "busybox", "sh", "-c", _TALK)
    assert made.returncode == 0, made.stderr
    return name


def _raw(daemon: Daemon, request: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(daemon.socket))
    connection.sendall(request.encode())
    return connection


def _until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        piece = connection.recv(65536)
        assert piece, data
        data += piece
    return data


def _wait_for_log(daemon: Daemon, name: str, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in daemon.docker("logs", name).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_log_is_replayed_and_goes_over_into_what_comes(daemon: Daemon, name: str) -> None:
    _wait_for_log(daemon, name, "before")
    query = "logs=1&stream=1&stdin=1&stdout=1&stderr=1"
    head = "Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    connection = _raw(daemon, f"POST /containers/{name}/attach?{query} HTTP/1.1\r\n{head}")
    assert b"before\n" in _until(connection, b"before\n")
    connection.sendall(b"one\n")
    answer = _until(connection, b"got one\n")
    assert answer == b"\x01\0\0\0" + struct.pack(">I", 8) + b"got one\n"
    connection.close()


def test_several_clients_see_the_same(daemon: Daemon, name: str) -> None:
    clients = [
        subprocess.Popen(
            ["docker", "attach", "--no-stdin", name],
            env=daemon.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    time.sleep(0.5)
    typed = daemon.docker("attach", name, input="a\nend\n")
    assert typed.stdout == "got a\ngot end\n"
    for client in clients:
        output, _ = client.communicate(timeout=10)
        assert output == "got a\ngot end\n"
        assert client.returncode == 4


def test_a_websocket_carries_both_directions(daemon: Daemon, name: str) -> None:
    _wait_for_log(daemon, name, "before")
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    path = f"/containers/{name}/attach/ws?stream=1&stdin=1&stdout=1&logs=1"
    connection = _raw(daemon, f"GET {path} HTTP/1.1\r\n{head}")
    assert _until(connection, b"before\n").startswith(b"HTTP/1.1 101")
    mask = b"\x01\x02\x03\x04"
    payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(b"ws\n"))
    connection.sendall(b"\x82" + bytes([0x80 | len(payload)]) + mask + payload)
    assert _until(connection, b"got ws\n") == b"\x82\x07got ws\n"
    connection.close()
