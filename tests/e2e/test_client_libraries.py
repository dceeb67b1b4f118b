"""The programs in ``examples/`` that drive containers with other people's libraries."""

import subprocess
import sys

import pytest

from support.abilities import peer
from support.composes import knarrs
from support.daemon import Daemon
from support.samples import EXAMPLES

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "busybox", "client-libraries")


def printed(daemon: Daemon, program: str) -> list[str]:
    """The lines of a program, which ends well and leaves nothing behind."""
    before = containers(daemon)
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / program)],
        env={**daemon.environment, "PYTHONPATH": str(peer(""))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert containers(daemon) <= before
    return ran.stdout.splitlines()


def containers(daemon: Daemon) -> set[str]:
    return {each["Id"] for each in daemon.ask("GET", "/containers/json?all=1")}


def test_a_page_with_testcontainers(daemon: Daemon) -> None:
    assert printed(daemon, "testcontainers/page.py") == [
        "the server says ahoy",
        "its file says ahoy and cat ended with 0",
    ]


def test_a_page_with_aiodocker(daemon: Daemon) -> None:
    assert printed(daemon, "aiodocker/page.py") == [
        "the server says ahoy",
        "its file says ahoy",
        "it ended with 137",
    ]


@pytest.mark.long
@pytest.mark.needs("mmdebstrap")
def test_databases(daemon: Daemon) -> None:
    made = daemon.knarr("image", "bootstrap", "base", timeout=900)
    assert made.returncode == 0, made.stderr
    compose = knarrs(daemon.environment, "knarr")
    compose.run(EXAMPLES / "images", "build", "redis", "postgres", timeout=1800)
    assert printed(daemon, "testcontainers/databases.py") == ["redis: +OK knarr", "postgres: 42"]
    assert printed(daemon, "aiodocker/databases.py") == [
        "redis: OK",
        "redis: knarr",
        "postgres: 42",
        "samples/postgres ended with 0",
        "samples/redis ended with 0",
    ]
