"""What a run leaves is cleared at its end, whatever else is asked of the container just then."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from knarr.client import Client
from knarr.errors import NotFound
from knarr.spec.docker.container import ContainerCreate
from support.daemon import Daemon, running_daemon
from support.leaks import holdings

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "busybox")


@pytest.fixture(scope="module")
def daemon(busybox_archive: Path) -> Iterator[Daemon]:
    with running_daemon() as daemon:
        assert daemon.knarr("load", "-i", str(busybox_archive)).returncode == 0
        yield daemon


def _rename_until_gone(daemon: Daemon, container: str, names: Iterator[int], until: float) -> None:
    with Client(daemon.host) as client, suppress(NotFound):
        while time.monotonic() < until:
            client.containers.rename(container, f"n{next(names)}")


def test_a_container_that_is_renamed_as_it_ends_is_removed_all_the_same(daemon: Daemon) -> None:
    before = holdings(daemon.data_root, daemon.run_root)
    made = daemon.knarr("run", "-d", "--rm", "busybox", "sleep", "0.5")
    assert made.returncode == 0, made.stderr
    until, names = time.monotonic() + 10, itertools.count()
    container = made.stdout.strip()
    renaming = [
        threading.Thread(target=_rename_until_gone, args=(daemon, container, names, until))
        for _ in range(6)
    ]
    for each in renaming:
        each.start()
    for each in renaming:
        each.join()
    assert daemon.knarr("ps", "-aq").stdout == ""
    assert holdings(daemon.data_root, daemon.run_root).mounts == before.mounts


def test_who_attaches_at_the_end_of_one_run_sees_all_of_the_next(daemon: Daemon) -> None:
    """What clears the first run away must not take the streams of the second with it."""
    body = ContainerCreate(
        image="busybox", cmd=("sh", "-c", "echo first; sleep 0.05; echo last"), attach_stdout=True
    )
    with Client(daemon.host) as client:
        container = client.containers.create(body).id
        for _ in range(15):
            with client.containers.attach(container, stdin=False) as stream:
                client.containers.start(container)
                shown = b"".join(data for _, data in stream)
            assert client.containers.wait(container).status_code == 0
            assert shown == b"first\nlast\n"
        client.containers.remove(container)


def test_a_container_that_ends_as_it_is_about_to_be_killed_is_stopped_all_the_same(
    daemon: Daemon,
) -> None:
    """With no time between the signal and the kill, the first often does it."""
    made = [
        daemon.knarr("run", "-d", "--init", "busybox", "sleep", "1000").stdout.strip()
        for _ in range(8)
    ]
    stopped = daemon.knarr("stop", "-t", "0", *made)
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert daemon.knarr("rm", *made).returncode == 0
