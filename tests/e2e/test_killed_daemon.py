"""The daemon is killed at any moment: containers go on, logs are whole, nothing leaks."""

import itertools
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.daemon import Daemon, running_daemon
from support.leaks import Holdings, holdings
from support.traffic import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

_COUNTING = "i=0; while :; do echo line $i; i=$((i+1)); usleep 2000; done"
_SETTLE_SECONDS = 15.0


@pytest.fixture
def daemon(busybox_archive: Path) -> Iterator[Daemon]:
    with running_daemon() as daemon:
        assert daemon.docker("load", "-i", str(busybox_archive)).returncode == 0
        yield daemon


def _counted(daemon: Daemon, name: str) -> int:
    """How many lines the counting container has in its log; each must follow the one before."""
    shown = daemon.docker("logs", name)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]
    return len(lines)


def _state(daemon: Daemon, name: str) -> str:
    shown = daemon.docker(
        "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", name
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.strip()


def _settled(daemon: Daemon, before: Holdings) -> dict[str, frozenset[str]]:
    """What is held beyond ``before``, once what is removed in the background is gone."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while extra := holdings(daemon.data_root, daemon.run_root) - before:
        if time.monotonic() > deadline:
            return extra
        time.sleep(0.1)
    return {}


def test_containers_go_on_and_their_logs_lose_nothing(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "count", "busybox", "sh", "-c", _COUNTING)
    before = _state(daemon, "count")
    daemon.kill()
    time.sleep(0.3)
    daemon.start()
    assert _state(daemon, "count") == before
    first = _counted(daemon, "count")
    time.sleep(0.1)
    assert _counted(daemon, "count") > first > 0


def test_an_exit_without_a_daemon_is_known_after_the_restart(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 0.3; exit 7")
    daemon.docker("run", "-d", "--rm", "--name", "gone", "busybox", "sleep", "0.3")
    daemon.kill()
    time.sleep(0.6)
    daemon.start()
    assert daemon.docker("wait", "ends").stdout.strip() == "7"
    assert _state(daemon, "ends") == "exited 7 0"
    deadline = time.monotonic() + 5
    while daemon.docker("inspect", "gone").returncode == 0:
        assert time.monotonic() < deadline, "a container run with --rm was not removed"
        time.sleep(0.05)


@pytest.mark.parametrize("flags", [(), ("--rm",)], ids=["kept", "removed"])
def test_a_run_of_which_the_daemon_recorded_nothing_is_known_and_cleared_away(
    daemon: Daemon, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    before = holdings(daemon.data_root, daemon.run_root)
    daemon.docker("create", *flags, "--name", "brief", "busybox", "sh", "-c", "sleep 0.3; exit 7")
    daemon.kill()
    for file in daemon.data_root.glob("knarr.db*"):
        shutil.copy(file, tmp_path)
    daemon.start()
    daemon.docker("start", "brief")
    pid = _state(daemon, "brief").split()[2]
    daemon.kill()
    for file in daemon.data_root.glob("knarr.db*"):
        file.unlink()
    for file in tmp_path.glob("knarr.db*"):
        shutil.copy(file, daemon.data_root)
    until(lambda: not Path(f"/proc/{pid}").exists(), seconds=30)
    daemon.start()
    if flags:
        until(lambda: daemon.docker("inspect", "brief").returncode != 0, seconds=30)
    else:
        until(lambda: _state(daemon, "brief") == "exited 7 0", seconds=30)
        daemon.docker("rm", "brief")
    assert _settled(daemon, before) == {}


def test_a_stopped_daemon_gives_up_nothing_either(daemon: Daemon) -> None:
    daemon.docker(
        "run", "-d", "--name", "stays", "-p", "127.0.0.1:0:80", "--health-cmd", "true",
        "busybox", "sleep", "1000",
    )  # fmt: skip
    before = _state(daemon, "stays"), daemon.docker("port", "stays").stdout
    daemon.stop()
    daemon.start()
    assert (_state(daemon, "stays"), daemon.docker("port", "stays").stdout) == before
    assert daemon.docker("exec", "stays", "echo", "hi").stdout == "hi\n"
    assert daemon.docker("stop", "-t", "0", "stays").returncode == 0
    assert daemon.docker("start", "stays").returncode == 0


@pytest.mark.needs("mkfs.ext4")
def test_a_container_with_a_disk_outlives_the_daemon_and_keeps_what_it_wrote(
    daemon: Daemon,
) -> None:
    before = holdings(daemon.data_root, daemon.run_root)
    script = "echo kept >>/file; sleep 1000"
    daemon.docker(
        "run", "-d", "--name", "bounded", "--storage-opt", "size=20m", "busybox", "sh", "-c", script
    )  # fmt: skip
    said = daemon.docker("exec", "bounded", "sh", "-c", "until [ -s /file ]; do sleep 0.1; done")
    assert said.returncode == 0, said.stderr
    daemon.kill()
    daemon.start()
    assert daemon.docker("diff", "bounded").stdout == "A /file\n"
    assert len((holdings(daemon.data_root, daemon.run_root) - before)["loops"]) == 1
    assert daemon.docker("restart", "-t", "0", "bounded").returncode == 0
    until(
        lambda: daemon.docker("exec", "bounded", "cat", "/file").stdout == "kept\nkept\n",
        seconds=30,
    )
    daemon.docker("rm", "-f", "bounded")
    assert _settled(daemon, before) == {}


def _storm(daemon: Daemon, archive: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    daemon.docker("run", "-d", "--name", "count", "busybox", "sh", "-c", _COUNTING)
    daemon.docker("rm", "-f", "nothing")
    steady, known = _state(daemon, "count"), holdings(daemon.data_root, daemon.run_root)
    numbers = itertools.count()
    alive: list[str] = []
    for _ in range(rounds):
        clients = [_client(daemon, *words) for words in _commands(chance, numbers, alive, archive)]
        time.sleep(chance.uniform(0.0, 0.25))
        daemon.kill()
        for client in clients:
            with suppress(subprocess.TimeoutExpired):
                client.wait(10)
            client.kill()
            client.wait()
        daemon.start()
        assert _state(daemon, "count") == steady
        _counted(daemon, "count")
        for line in daemon.docker("ps", "--no-trunc", "--format", "{{.Names}}").stdout.split():
            status, _, pid = _state(daemon, line).split()
            assert status != "running" or Path(f"/proc/{pid}").exists(), line
    names = daemon.docker("ps", "-a", "--format", "{{.Names}}").stdout.split()
    others = [name for name in names if name != "count"]
    if others:
        removed = daemon.docker("rm", "-f", *others)
        assert removed.returncode == 0, removed.stderr
    assert _settled(daemon, known) == {}
    assert daemon.docker("run", "--rm", "busybox", "echo", "fine").stdout == "fine\n"


def _commands(
    chance: random.Random, numbers: "itertools.count[int]", alive: list[str], archive: Path
) -> list[list[str]]:
    """Some of what people do, at the same time."""
    name = f"storm{next(numbers)}"
    alive.append(name)
    choices = [
        ["run", "-d", "--name", name, "busybox", "sh", "-c", _COUNTING],
        ["run", "--rm", "--name", f"{name}-rm", "busybox", "sh", "-c", "sleep 0.1; echo done"],
        ["run", "--name", f"{name}-v", "-v", "/data", "-p", "127.0.0.1:0:80", "busybox", "true"],
        ["run", "--name", f"{name}-s", "--storage-opt", "size=16m", "busybox", "touch", "/x"],
        ["logs", "-f", "count"],
        ["load", "-i", str(archive)],
        ["rm", "-f", chance.choice(alive)],
        ["stop", "-t", "0", chance.choice(alive)],
        ["exec", "count", "echo", "hi"],
    ]
    return chance.sample(choices, 4)


def _client(daemon: Daemon, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["docker", *words],
        env=daemon.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_storm_of_kills_leaves_nothing_behind(daemon: Daemon, busybox_archive: Path) -> None:
    _storm(daemon, busybox_archive, rounds=6, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 7))
def test_fifty_kills_leave_nothing_behind(daemon: Daemon, busybox_archive: Path, seed: int) -> None:
    _storm(daemon, busybox_archive, rounds=50, seed=seed)
