"""What cannot start is refused in one sentence, and leaves nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.daemon import Daemon, end_keeper

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker")


def test_an_unknown_runtime_is_refused_when_the_container_is_created(daemon: Daemon) -> None:
    made = daemon.docker("create", "--name", "of-no-runtime", "--runtime", "nonesuch", "busybox")
    assert made.returncode == 1
    assert "unknown or invalid runtime name: nonesuch" in made.stderr
    assert daemon.docker("inspect", "of-no-runtime").returncode == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--snapshotter", "nonesuch"), "unknown snapshotter 'nonesuch'"),
        (("--runtime", "nonesuch"), "unknown or invalid runtime name: nonesuch"),
        (("--userns-remap", "nonesuch"), "add the line nonesuch:100000:65536"),
    ],
)
def test_a_daemon_says_in_one_line_why_it_does_not_start(
    tmp_path: Path, flags: tuple[str, str], words: str
) -> None:
    roots = ("--data-root", str(tmp_path / "data"), "--run-root", str(tmp_path / "run"))
    started = subprocess.run(
        [sys.executable, "-m", "knarr", "daemon", *roots, *flags],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    end_keeper(tmp_path / "run")
    assert started.returncode == 1
    last = started.stderr.splitlines()[-1]
    assert last.startswith("knarr daemon: ")
    assert words in last
    assert "Traceback" not in started.stderr
