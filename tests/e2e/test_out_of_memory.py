"""A container without memory: it is told when it happens, and once."""

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

_LIMITS = ("--network", "none", "-m", "16m", "--memory-swap", "16m")
_GREEDY_CHILD = "tail /dev/zero; read line"


@pytest.fixture
def name(daemon: Daemon) -> Iterator[str]:
    name = f"oom{os.getpid()}"
    yield name
    daemon.docker("rm", "-f", name)


def test_a_child_that_is_killed_is_told_while_the_container_goes_on(
    daemon: Daemon, name: str
) -> None:
    wanted = ("--filter", "event=oom", "--filter", f"container={name}", "--format", "{{.Action}}")
    # Recorded ones come too, so it does not matter who is first.
    command = ["docker", "events", "--since", "5m", *wanted]
    with subprocess.Popen(
        command, env=daemon.environment, stdout=subprocess.PIPE, text=True
    ) as events:
        deadline = threading.Timer(30, events.kill)
        deadline.start()
        made = daemon.docker(
            "run", "-d", "-i", "--name", name, *_LIMITS, "busybox", "sh", "-c", _GREEDY_CHILD
        )
        assert made.returncode == 0, made.stderr
        assert events.stdout is not None
        assert events.stdout.readline() == "oom\n"
        deadline.cancel()
        events.kill()
    state = daemon.docker("inspect", "-f", "{{.State.Status}} {{.State.OOMKilled}}", name)
    assert state.stdout == "running true\n"


def test_a_container_that_is_killed_itself_is_told_before_its_end(
    daemon: Daemon, name: str
) -> None:
    ran = daemon.docker("run", "--name", name, *_LIMITS, "busybox", "tail", "/dev/zero")
    assert ran.returncode == 137
    told = daemon.docker(
        "events", "--since", "5m", "--until", "0s", "--filter", f"container={name}",
        "--format", "{{.Action}}",
    ).stdout.split()  # fmt: skip
    assert told.index("oom") < told.index("die")
    assert daemon.docker("inspect", "-f", "{{.State.OOMKilled}}", name).stdout == "true\n"
