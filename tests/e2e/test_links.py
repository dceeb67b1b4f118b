"""Legacy links where the default bridge keeps its containers apart."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.daemon import Daemon, running_daemon
from support.traffic import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

SERVE = "mkdir /w; echo hello > /w/index.html; httpd -p 81 -h /w; exec httpd -f -p 80 -h /w"


def did(daemon: Daemon, *words: str) -> str:
    done = daemon.docker(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fetching(daemon: Daemon, host: str, port: int) -> Callable[[], bool]:
    """By its name in the container ``web``; what is closed does not answer at all."""
    words = ("exec", "web", "timeout", "2", "wget", "-qO-", f"http://{host}:{port}/")
    return lambda: daemon.docker(*words).stdout == "hello\n"


def test_links_hold_over_a_killed_daemon_another_address_and_another_name(
    busybox_archive: Path,
) -> None:
    with running_daemon("--icc=false") as daemon:
        did(daemon, "load", "-i", str(busybox_archive))
        did(daemon, "run", "-d", "--name", "db", "--expose", "80", "busybox", "sh", "-c", SERVE)
        did(daemon, "run", "-d", "--name", "web", "--link", "db:data", "busybox", "sleep", "1000")
        opened = fetching(daemon, "data", 80)
        until(opened, seconds=30)
        daemon.kill()
        daemon.start()
        until(opened, seconds=30)
        did(daemon, "stop", "-t", "0", "db")
        did(daemon, "run", "-d", "--name", "heir", "busybox", "sleep", "1000")
        did(daemon, "start", "db")
        until(opened, seconds=30)
        did(daemon, "rename", "db", "base")
        assert did(daemon, "inspect", "-f", "{{.HostConfig.Links}}", "web") == "[base:data]"
        did(daemon, "restart", "-t", "0", "web")
        until(opened, seconds=30)
        assert not fetching(daemon, "data", 81)()
        did(daemon, "rm", "-f", "web", "base", "heir")
