"""Files that change, and what becomes of it in containers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.waiting import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

FILE = """
name: knwatch
services:
  synced:
    build: {context: ., dockerfile: Dockerfile.plain}
    init: true
    command: sh -c "echo begun >> /runs; exec sleep 3600"
    develop:
      watch:
        - {action: sync, path: ./code, target: /code, initial_sync: true, ignore: ["*.tmp", cache/]}
        - {action: sync+restart, path: ./settings, target: /settings}
        - action: sync+exec
          path: ./styles
          target: /styles
          exec: {command: sh -c "cat /styles/* > /bundle"}
  rebuilt:
    build: {context: ., dockerfile: Dockerfile.copied}
    init: true
    command: sleep 3600
    develop: {watch: [{action: rebuild, path: ./needed}]}
"""


class Watching:
    """The project, watched by a command in the background."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        self.log = folder.parent / f"{folder.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "knarr", "compose", "-f", str(self.file), "watch"],
                env=self.daemon.environment, stdout=log, stderr=log,
            )  # fmt: skip
        self.said("Watch enabled")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    @property
    def file(self) -> Path:
        return self.folder / "compose.yaml"

    def said(self, text: str, *, times: int = 1) -> None:
        until(lambda: self.log.read_text().count(text) >= times, seconds=60, say=self.log.read_text)

    def run(self, service: str, *words: str) -> str:
        return self.daemon.docker("exec", f"knwatch-{service}-1", *words).stdout

    def shows(self, service: str, path: str, text: str) -> None:
        """Until the file in the container says so; empty: until it is gone."""
        until(
            lambda: self.run(service, "cat", path) == text,
            say=lambda: self.run(service, "find", os.path.dirname(path)) + self.log.read_text(),
        )

    def replaced_images(self) -> list[str]:
        """What the last build of a service left without a name."""
        where = (
            "--filter",
            "dangling=true",
            "--filter",
            "label=com.docker.compose.project=knwatch",
        )
        return self.daemon.docker("images", "-q", *where).stdout.split()

    def id_of(self, service: str) -> str:
        found = self.daemon.docker("inspect", "-f", "{{.Id}}", f"knwatch-{service}-1")
        return found.stdout.strip()


@pytest.fixture(scope="module")
def watching(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    watching = Watching(daemon, tmp_path_factory.mktemp("knwatch"))
    watching.write("compose.yaml", FILE)
    watching.write("Dockerfile.plain", "FROM busybox\nRUN mkdir /code && echo old > /code/here\n")
    watching.write(
        "Dockerfile.copied", "FROM busybox\nCOPY needed /needed\nRUN test -e /needed/version\n"
    )
    watching.write(".dockerignore", "**/*.log\n")
    watching.write("code/here", "new")
    watching.write("code/cache/kept", "by nobody")
    watching.write("settings/one", "1")
    watching.write("styles/a", "A")
    watching.write("needed/version", "1")
    watching.write("needed/other", "so that the folder is not empty")
    try:
        watching.start()
        yield watching
    finally:
        watching.stop()
        down = daemon.knarr("compose", "-f", str(watching.file), "down", "-t", "0", "--rmi", "all")
        assert down.returncode == 0, down.stderr


def test_the_first_sync_brings_what_differs_and_nothing_that_is_ignored(
    watching: Watching,
) -> None:
    watching.shows("synced", "/code/here", "new")
    assert watching.run("synced", "ls", "/code") == "here\n"


def test_files_that_come_change_and_go_do_so_in_the_container(watching: Watching) -> None:
    watching.write("code/deep/down/file", "one")
    watching.shows("synced", "/code/deep/down/file", "one")
    watching.write("code/deep/down/file", "two")
    watching.shows("synced", "/code/deep/down/file", "two")
    (watching.folder / "code/deep/down/file").unlink()
    watching.shows("synced", "/code/deep/down/file", "")


def test_what_is_ignored_stays_out(watching: Watching) -> None:
    watching.write("code/scratch.tmp", "no")
    watching.write("code/debug.log", "no")  # .dockerignore says so
    watching.write("code/cache/more", "no")
    watching.write("code/seen", "yes")
    watching.shows("synced", "/code/seen", "yes")
    there = watching.run("synced", "find", "/code")
    assert not any(name in there for name in ("scratch.tmp", "debug.log", "cache"))


def test_a_folder_that_went_and_came_again_is_followed_still(watching: Watching) -> None:
    watching.write("code/old", "of this branch")
    watching.shows("synced", "/code/old", "of this branch")
    code = watching.folder / "code"
    code.rename(watching.folder / "code.before")
    watching.shows("synced", "/code/old", "")
    watching.write("code/new", "of that branch")
    watching.shows("synced", "/code/new", "of that branch")
    watching.write("code/here", "still watched")
    watching.shows("synced", "/code/here", "still watched")


def test_many_changes_in_a_row_are_one_sync(watching: Watching) -> None:
    said = watching.log.read_text().count("Syncing service")
    for number in range(50):
        watching.write(f"code/many/{number}", str(number))
    watching.shows("synced", "/code/many/49", "49")
    watching.shows("synced", "/code/many/0", "0")
    assert watching.log.read_text().count("Syncing service") - said < 10


def test_settings_are_copied_and_the_service_starts_anew(watching: Watching) -> None:
    before = watching.id_of("synced")
    runs = watching.run("synced", "cat", "/runs").count("begun")
    watching.write("settings/one", "2")
    until(lambda: watching.run("synced", "cat", "/runs").count("begun") == runs + 1)
    watching.shows("synced", "/settings/one", "2")
    assert watching.id_of("synced") == before
    watching.said("restarted")


def test_a_command_follows_a_copy(watching: Watching) -> None:
    watching.write("styles/a", "A")
    watching.write("styles/b", "B")
    watching.shows("synced", "/bundle", "AB")


def test_what_an_image_is_made_of_makes_a_new_container(watching: Watching) -> None:
    before, other = watching.id_of("rebuilt"), watching.id_of("synced")
    watching.write("needed/version", "2")
    watching.said("successfully built")
    watching.shows("rebuilt", "/needed/version", "2")
    assert watching.id_of("rebuilt") != before
    until(lambda: not watching.replaced_images())
    assert watching.id_of("synced") == other


def test_a_build_that_fails_leaves_the_container_and_the_next_one_counts(
    watching: Watching,
) -> None:
    before = watching.id_of("rebuilt")
    (watching.folder / "needed/version").unlink()
    watching.said("Build failed")
    assert watching.id_of("rebuilt") == before
    watching.write("needed/version", "3")
    watching.shows("rebuilt", "/needed/version", "3")
