"""Log drivers through the daemon: lines at a syslog server, and ``docker logs`` all the same."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")


class Server:
    """A syslog server on a datagram socket; few messages fit in one that nobody reads."""

    def __init__(self, path: Path) -> None:
        self.option = f"syslog-address=unixgram://{path}"
        self.messages: SimpleQueue[bytes] = SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            self.messages.put(self._socket.recv(65536))

    def message(self) -> bytes:
        return self.messages.get(timeout=20)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "log")


@pytest.fixture
def name(daemon: Daemon) -> Iterator[str]:
    name = f"driver{os.getpid()}"
    yield name
    daemon.docker("rm", "-f", name)


def test_all_of_a_container_that_removes_itself_arrives(daemon: Daemon, server: Server) -> None:
    ran = daemon.docker(
        "run", "--rm", "--log-driver", "syslog", "--log-opt", server.option, "--log-opt", "tag=t",
        "busybox", "seq", "20",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = [server.message() for _ in range(20)]
    assert [message.split(b"]: ")[1] for message in told] == [b"%d\n" % n for n in range(1, 21)]
    assert b" t[" in told[0]


def test_docker_logs_shows_what_went_to_a_server(daemon: Daemon, server: Server, name: str) -> None:
    options = ("--log-driver", "syslog", "--log-opt", server.option)
    daemon.docker("run", "--name", name, *options, "busybox", "echo", "hi")
    assert server.message().endswith(b"]: hi\n")
    assert daemon.docker("logs", name).stdout == "hi\n"
    assert daemon.docker("inspect", "-f", "{{.HostConfig.LogConfig.Type}}", name).stdout == (
        "syslog\n"
    )
    daemon.docker("rm", "-f", name)
    daemon.docker(
        "run", "--name", name, *options, "--log-opt", "cache-disabled=true", "busybox", "echo", "x"
    )
    refused = daemon.docker("logs", name)
    assert "configured logging driver does not support reading" in refused.stderr


def test_with_nobody_there_the_container_is_not_started(daemon: Daemon, name: str) -> None:
    where = "syslog-address=tcp://127.0.0.1:1"
    options = ("--log-driver", "syslog", "--log-opt", where)
    refused = daemon.docker("run", "--name", name, *options, "busybox", "true")
    assert refused.returncode == 125
    assert (
        "failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused"
        in refused.stderr
    )
    assert daemon.docker("inspect", "-f", "{{.State.Status}}", name).stdout == "created\n"


def test_details_by_pattern_and_the_tag(daemon: Daemon, name: str) -> None:
    daemon.docker(
        "run", "--name", name, "-l", "com.example.a=1", "-l", "other=2", "-e", "WHO=me",
        "--log-opt", "labels-regex=^com", "--log-opt", "env=WHO", "--log-opt", "tag={{.Name}}",
        "busybox", "echo", "x",
    )  # fmt: skip
    shown = daemon.docker("logs", "--details", name).stdout
    assert shown == f"WHO=me,com.example.a=1,tag={name} x\n"
