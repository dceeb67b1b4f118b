"""``--dry-run`` on every command of compose: it says what it would do, and does nothing."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

FILE = """
name: kndry
services:
  web:
    image: busybox
    command: sleep 3600
    init: true
    develop: {watch: [{action: sync, path: ., target: /tmp}]}
  built: {build: {context: ., dockerfile_inline: "FROM busybox"}, profiles: [built]}
"""
COMMANDS = {
    "up -d --force-recreate": "Recreate",
    "create --force-recreate": "Recreate",
    "rollout --force-recreate": "Recreate",
    "scale web=3": "Creating",
    "restart": "Restarting",
    "stop": "Stopping",
    "kill": "Killing",
    "pause": "Pausing",
    "rm --stop --force": "Removing",
    "down --volumes --rmi all": "Removing",
    "run --rm web true": "Creating",
    "pull web": "",
    "push web": "",
    "build built": "Building",
    "commit web kn-dry:latest": "Committing",
    "cp compose.yaml web:/tmp": "Copying",
    "exec -T web touch /tmp/done": "Ran touch /tmp/done",
    "export -o out.tar web": "Exporting",
    "watch --no-up": "",
}

Compose = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kndry")


@pytest.fixture(scope="module")
def compose(daemon: Daemon, folder: Path) -> Iterator[Compose]:
    (folder / "compose.yaml").write_text(FILE)

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        file = ("-f", str(folder / "compose.yaml"))
        return daemon.knarr("compose", *file, *words, timeout=60, cwd=folder)

    up = run("up", "-d")
    assert up.returncode == 0, up.stderr
    yield run
    assert run("down", "-t", "0").returncode == 0


def state(daemon: Daemon, folder: Path) -> list[object]:
    """Containers with their states, images, networks and files: all that could change."""
    containers = daemon.ask("GET", "/containers/json?all=1")
    images = daemon.ask("GET", "/images/json")
    return [
        sorted((each["Id"], *each["Names"], each["State"]) for each in containers),
        sorted((each["Id"], *(each["RepoTags"] or ())) for each in images),
        sorted(each["Id"] for each in daemon.ask("GET", "/networks")),
        daemon.ask("GET", "/containers/kndry-web-1/changes"),
        sorted(each.name for each in folder.iterdir()),
    ]


@pytest.mark.parametrize(("words", "told"), COMMANDS.items(), ids=list(COMMANDS))
def test_nothing_changes(
    compose: Compose, daemon: Daemon, folder: Path, words: str, told: str
) -> None:
    before = state(daemon, folder)
    dry = compose("--dry-run", *words.split())
    assert state(daemon, folder) == before
    assert dry.returncode == 0, dry.stderr
    if told:
        assert "DRY-RUN MODE" in dry.stderr
        assert told in dry.stderr
