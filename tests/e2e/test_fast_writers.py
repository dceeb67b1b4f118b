"""A container that writes as fast as it can: no line is lost, disks stay bounded, nobody waits."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

_LINES = 1_500_000  # 11 MB: more than one file of the log


@pytest.fixture
def name(daemon: Daemon) -> Iterator[str]:
    name = f"fast{os.getpid()}"
    yield name
    daemon.docker("rm", "-f", name)


def _numbers(last: int) -> bytes:
    return "".join(f"{number}\n" for number in range(1, last + 1)).encode()


def _written(daemon: Daemon, *words: str) -> bytes:
    shown = subprocess.run(words, env=daemon.environment, capture_output=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.mark.parametrize("client", [("docker",), (sys.executable, "-m", "knarr")])
def test_every_line_comes_back(daemon: Daemon, name: str, client: tuple[str, ...]) -> None:
    made = daemon.docker("run", "--name", name, "-d", "busybox", "seq", "1", str(_LINES))
    assert made.returncode == 0, made.stderr
    assert daemon.docker("wait", name).stdout == "0\n"
    whole = hashlib.sha256(_numbers(_LINES)).hexdigest()
    assert hashlib.sha256(_written(daemon, *client, "logs", name)).hexdigest() == whole
    stamped = _written(daemon, *client, "logs", "--timestamps", "--tail", "3", name).splitlines()
    assert [line.split(b" ")[1] for line in stamped] == [b"1499998", b"1499999", b"1500000"]


def test_with_small_files_the_end_is_kept_and_has_no_gaps(daemon: Daemon, name: str) -> None:
    options = ("--log-opt", "max-size=1m", "--log-opt", "max-file=3")
    made = daemon.docker("run", "--name", name, "-d", *options, "busybox", "seq", str(_LINES))
    assert made.returncode == 0, made.stderr
    assert daemon.docker("wait", name).stdout == "0\n"
    # What the file before ended with, and is gone, is the beginning of the first line.
    kept = _written(daemon, "docker", "logs", name).split(b"\n")[1:]
    assert kept == _numbers(_LINES).split(b"\n")[-len(kept) :]
    assert len(kept) > 200_000
    folder = daemon.data_root / "containers" / made.stdout.strip() / "log"
    sizes = [file.stat().st_size for file in folder.iterdir()]
    assert len(sizes) == 3
    assert max(sizes) <= 1 << 20


def test_who_writes_without_end_keeps_nobody_waiting(daemon: Daemon, name: str) -> None:
    daemon.docker("run", "--name", name, "-d", "busybox", "yes")
    following = subprocess.Popen(
        ["docker", "logs", "-f", name], env=daemon.environment, stdout=subprocess.DEVNULL
    )
    try:
        shown = daemon.docker("run", "--rm", "busybox", "seq", "1000")
        assert shown.stdout.encode() == _numbers(1000)
        assert daemon.docker("exec", name, "echo", "in between").stdout == "in between\n"
        assert daemon.docker("inspect", "-f", "{{.State.Running}}", name).stdout == "true\n"
    finally:
        following.kill()
        following.wait()


def test_who_runs_it_into_a_slow_pipe_gets_all(daemon: Daemon, name: str) -> None:
    """As in ``docker run … | gzip``: the process waits for whoever was there before it."""
    command = ["docker", "run", "--name", name, "busybox", "seq", str(_LINES)]
    read = hashlib.sha256()
    with subprocess.Popen(command, env=daemon.environment, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        while piece := os.read(running.stdout.fileno(), 1 << 14):
            read.update(piece)
            time.sleep(0.001)
        assert running.wait(20) == 0
    assert read.hexdigest() == hashlib.sha256(_numbers(_LINES)).hexdigest()
