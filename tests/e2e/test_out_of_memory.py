"""A container without memory: it is told when it happens, and once."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

_LIMITS = ("--network", "none", "-m", "16m", "--memory-swap", "16m")


@pytest.fixture
def name(daemon: Daemon) -> Iterator[str]:
    name = f"oom{os.getpid()}"
    yield name
    daemon.docker("rm", "-f", name)


@contextmanager
def _told(daemon: Daemon, name: str) -> Iterator[Iterator[str]]:
    """Actions of the container, recorded ones too: it does not matter who is first."""
    command = ["docker", "events", "--since", "5m", "--filter", f"container={name}"]
    command += ["--format", "{{.Action}}"]
    with subprocess.Popen(
        command, env=daemon.environment, stdout=subprocess.PIPE, text=True
    ) as events:
        deadline = threading.Timer(30, events.kill)
        deadline.start()
        assert events.stdout is not None
        yield (line.strip() for line in events.stdout)
        deadline.cancel()
        events.kill()


def test_a_child_that_is_killed_is_told_while_the_container_goes_on(
    daemon: Daemon, name: str
) -> None:
    greedy = ("busybox", "sh", "-c", "tail /dev/zero; read line")
    made = daemon.docker("run", "-d", "-i", "--name", name, *_LIMITS, *greedy)
    assert made.returncode == 0, made.stderr
    with _told(daemon, name) as actions:
        assert "oom" in actions
    state = daemon.docker("inspect", "-f", "{{.State.Status}} {{.State.OOMKilled}}", name)
    assert state.stdout == "running true\n"


def test_a_container_that_is_killed_itself_is_told_before_its_end(
    daemon: Daemon, name: str
) -> None:
    ran = daemon.docker("run", "--name", name, *_LIMITS, "busybox", "tail", "/dev/zero")
    assert ran.returncode == 137
    with _told(daemon, name) as actions:
        assert next(action for action in actions if action in ("oom", "die")) == "oom"
    assert daemon.docker("inspect", "-f", "{{.State.OOMKilled}}", name).stdout == "true\n"
