"""A daemon that has not been asked to build or to pull has not loaded what does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon, running_daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")


@pytest.fixture
def telling(busybox_archive: Path) -> Iterator[Daemon]:
    """A daemon that tells each module it imports in its log."""
    with running_daemon(before=("env", "PYTHONPROFILEIMPORTTIME=1")) as daemon:
        assert daemon.docker("load", "-i", str(busybox_archive)).returncode == 0
        yield daemon


def imported(daemon: Daemon) -> set[str]:
    lines = daemon.log.read_text().splitlines()
    return {
        line.split("|")[2].strip()
        for line in lines
        if line.startswith("import time:") and line.count("|") == 2
    }


def test_rooms_that_build_and_pull_come_when_they_are_asked_for(
    telling: Daemon, tmp_path: Path
) -> None:
    for words in (
        "run --name one busybox true", "ps -a", "logs one", "images", "info", "rm one",
        "network ls", "volume ls", "system df",
    ):  # fmt: skip
        result = telling.docker(*words.split())
        assert result.returncode == 0, result.stderr
    names = imported(telling)
    assert "knarr.container.launch" in names
    building = {"knarr.dockerfile.lower", "knarr.build.execution"}
    waiting = {"urllib3", "knarr.registry.client", *building}
    assert names & waiting == set()
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN touch /made\n")
    built = telling.docker("build", "-q", str(tmp_path))
    assert built.returncode == 0, built.stderr
    assert imported(telling) & waiting == building
    assert "connection refused" in telling.docker("pull", "localhost:1/nobody").stderr
    assert waiting <= imported(telling)
