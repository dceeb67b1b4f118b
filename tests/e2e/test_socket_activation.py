"""The daemon as systemd starts it: its socket is handed over, and it says when it is ready."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker")

# What systemd does between fork and exec: the sockets are numbered from three.
_HAND_OVER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3);"
    " os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
    " os.execv(sys.executable, [sys.executable, '-m', 'knarr', 'daemon', *sys.argv[2:]])"
)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "api.sock"))
        listener.listen()
        yield listener


@pytest.fixture
def notices(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(tmp_path / "notify.sock"))
        notices.settimeout(30)
        yield notices


@pytest.fixture
def activated(
    tmp_path: Path, listener: socket.socket, notices: socket.socket
) -> Iterator["subprocess.Popen[bytes]"]:
    daemon = Daemon(tmp_path, {"NOTIFY_SOCKET": notices.getsockname()})
    roots = ["--data-root", str(daemon.data_root), "--run-root", str(daemon.run_root)]
    number = listener.fileno()
    with daemon.log.open("wb") as log:
        daemon.process = subprocess.Popen(
            [sys.executable, "-c", _HAND_OVER, str(number), "-H", "fd://", *roots],
            pass_fds=(number,), env=daemon.environment, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    yield daemon.process
    daemon.clean()


def docker(listener: socket.socket, *words: str) -> "subprocess.CompletedProcess[str]":
    host = f"unix://{listener.getsockname()}"
    return subprocess.run(
        ["docker", "-H", host, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_call_that_came_before_the_daemon_is_answered(
    activated: "subprocess.Popen[bytes]", listener: socket.socket, notices: socket.socket
) -> None:
    version = docker(listener, "version", "--format", "{{.Server.APIVersion}}")
    assert (version.returncode, version.stderr) == (0, "")
    assert notices.recv(100) == b"READY=1"


def test_the_socket_is_systemds_and_stays(
    activated: "subprocess.Popen[bytes]", listener: socket.socket, notices: socket.socket
) -> None:
    assert notices.recv(100) == b"READY=1"
    activated.terminate()
    assert activated.wait(30) == 0
    assert Path(listener.getsockname()).is_socket()


def test_without_systemd_there_is_nothing_to_take_over(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    roots = ["--data-root", str(daemon.data_root), "--run-root", str(daemon.run_root)]
    result = daemon.knarr("daemon", "-H", "fd://", *roots)
    assert result.returncode == 1
    assert "-H fd:// works only when systemd starts the daemon by its socket" in result.stderr
