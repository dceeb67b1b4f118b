"""Services replaced while requests come in, and what happens when the new ones are no good."""

import io
import json
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import PeerDocker
from support.daemon import Daemon
from support.load import Load
from support.named_load import NamedLoad
from support.waiting import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

RATE = 200  # requests a second
# Killed, not asked: what has drained has nothing left to lose.
FILE = """
name: knroll
services:
  web:
    image: ${{IMAGE:-busybox}}
    command: sh -c "echo ${{VERSION:-one}} > /index.html; ${{RUN:-exec httpd -f -p 80 -h /}}"
    ports: ["{port}:80"]
    stop_signal: SIGKILL
    volumes: ["./shared:/shared"]
    deploy:
      replicas: 2
      {more}
"""
START_FIRST = "update_config: {order: start-first, failure_action: rollback}"


class Project:
    """A compose file in a folder of its own, on the tests' daemon."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        self.file = folder / "compose.yaml"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.write(START_FIRST)

    def write(self, more: str) -> None:
        self.file.write_text(FILE.format(port=self.port, more=more))

    def compose(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "knarr", "compose", "-f", str(self.file), *words],
            env={**self.daemon.environment, **variables},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def up(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        done = self.compose("up", "-d", *words, **variables)
        assert done.returncode == 0, done.stderr
        return done

    def ready(self, number: int) -> None:
        """Until so many containers answer at the port."""
        until(
            lambda: self._ready() == number, say=lambda: str(self.daemon.ask("GET", "/knarr/ports"))
        )

    def _ready(self) -> int:
        states = [
            backend["State"]
            for each in self.daemon.ask("GET", "/knarr/ports")
            if each["HostPort"] == self.port and each["HostIp"] == "0.0.0.0"
            for backend in each["Containers"]
        ]
        return len(states) if set(states) == {"ready"} else 0

    def containers(self) -> dict[str, str]:
        """Identifiers by name, of all there are in any state."""
        lines = self.daemon.docker(
            "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.ID}}",
            "--filter", "label=com.docker.compose.project=knroll",
        ).stdout.splitlines()  # fmt: skip
        return dict(line.split() for line in lines)

    def happened(self, since: float) -> list[tuple[str, str, float]]:
        """What the engine tells of containers since then: what, whose, when (in seconds)."""
        lines = self.daemon.docker(
            "events", "--since", f"{since:.9f}", "--until", f"{time.time():.9f}",
            "--filter", "type=container", "--format", "{{json .}}",
        ).stdout.splitlines()  # fmt: skip
        events = map(json.loads, lines)
        return [(each["Action"], each["Actor"]["ID"], each["timeNano"] / 1e9) for each in events]


@pytest.fixture
def project(daemon: Daemon, tmp_path: Path) -> Iterator[Project]:
    project = Project(daemon, tmp_path)
    yield project
    down = project.compose("down", "-t", "0")
    assert down.returncode == 0, down.stderr


def test_a_rollout_under_load_drops_no_request(project: Project) -> None:
    project.up()
    project.ready(2)
    with Load(project.port, rate=RATE) as load:
        until(lambda: load.answers["one"] > RATE)
        project.up(VERSION="two")
        seen = load.answers["two"]
        until(lambda: load.answers["two"] > seen + RATE)
        assert load.per_second > RATE / 2  # else the machine was too slow to tell anything
    assert load.failures == []
    assert set(load.answers) == {"one", "two"}
    assert set(project.containers()) == {"knroll-web-1", "knroll-web-2"}


# Nothing of the host's leads to it: who connects, asks for its name. It listens a while after its
# start.
NAMED = """
name: knroll
services:
  web:
    image: busybox
    command: sh -c "echo ${VERSION:-one} > /index.html; sleep 0.5; exec httpd -f -p 80 -h /"
    expose: ["80"]
    stop_signal: SIGKILL
    deploy: {replicas: 2, update_config: {order: start-first}}
  client: {image: busybox, command: sleep 1000, stop_signal: SIGKILL}
"""


def test_a_name_leads_to_none_that_is_about_to_be_stopped_or_does_not_listen_yet(
    project: Project,
) -> None:
    project.file.write_text(NAMED)
    project.up()
    shown = project.daemon.ask("GET", "/containers/knroll-client-1/json")
    with NamedLoad(shown["State"]["Pid"], "web", 80) as load:
        until(lambda: load.answers["one"] > 50)
        load.failures.clear()  # both of the first were not there yet
        project.up(VERSION="two")
        seen = load.answers["two"]
        until(lambda: load.answers["two"] > seen + 50)
        scaled = project.compose("up", "-d", "--scale", "web=1", VERSION="two")
        assert scaled.returncode == 0, scaled.stderr
    assert load.failures == []
    assert set(load.answers) == {"one", "two"}


def test_a_rollout_to_a_broken_image_is_rolled_back_and_drops_no_request(project: Project) -> None:
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    (project.folder / "empty.tar").write_bytes(empty.getvalue())
    imported = project.daemon.docker("import", str(project.folder / "empty.tar"), "kn-broken")
    assert imported.returncode == 0, imported.stderr
    project.up()
    project.ready(2)
    before = project.containers()
    with Load(project.port, rate=RATE) as load:
        until(lambda: load.answers["one"] > RATE)
        broken = project.compose("up", "-d", IMAGE="kn-broken")
        assert broken.returncode == 1
        assert "rolled back, all is as it was before" in broken.stderr
        until(lambda: load.answers["one"] > 3 * RATE)
    assert load.failures == []
    assert set(load.answers) == {"one"}
    assert project.containers() == before
    project.daemon.docker("rmi", "kn-broken")


@pytest.mark.long
def test_the_way_back_takes_along_what_was_replaced_already(project: Project) -> None:
    """The first new container is well, the second one is not."""
    project.up()
    project.ready(2)
    code = "mkdir /shared/first && exec httpd -f -p 80 -h /; echo no luck; exit 3"
    with Load(project.port, rate=RATE) as load:
        failed = project.compose("up", "-d", VERSION="two", RUN=code)
        assert failed.returncode == 1, failed.stderr
    assert load.failures == []
    assert "no luck" in failed.stderr
    assert "exit code 3" in failed.stderr
    project.ready(2)
    with Load(project.port, rate=50) as load:
        until(lambda: sum(load.answers.values()) > 40)
    assert set(load.answers) == {"one"}
    assert set(project.containers()) == {"knroll-web-1", "knroll-web-2"}


def test_rollback_brings_back_the_revision_before_and_again_what_it_took_away(
    project: Project,
) -> None:
    project.up()
    refused = project.compose("rollback", "web")
    assert refused.returncode == 1
    assert "no revision before is known" in refused.stderr
    project.up(VERSION="two")
    for wanted in ("one", "two"):
        rolled = project.compose("rollback")
        assert rolled.returncode == 0, rolled.stderr
        project.ready(2)
        with Load(project.port, rate=50) as load:
            until(lambda load=load: sum(load.answers.values()) > 40)  # type: ignore[misc]
        assert set(load.answers) == {wanted}
        assert load.failures == []
    assert set(project.containers()) == {"knroll-web-1", "knroll-web-2"}


@pytest.mark.long
def test_what_fails_is_paused_or_passed_over_when_that_is_asked(project: Project) -> None:
    project.write("update_config: {order: start-first, failure_action: pause}")
    project.up()
    before = project.containers()
    paused = project.compose("up", "-d", RUN="exit 4")
    assert paused.returncode == 1
    assert "is paused, 0 of 2 containers are replaced" in paused.stderr
    project.write("update_config: {order: stop-first, failure_action: continue}")
    passed = project.compose("up", "-d", RUN="exit 4")
    assert passed.returncode == 1
    assert "2 of 2 containers were not replaced" in passed.stderr
    assert project.containers() == before
    project.ready(2)


@pytest.mark.long
def test_an_old_container_that_cannot_be_stopped_in_order_goes_on(project: Project) -> None:
    hook = "pre_stop: [{command: [sh, -c, 'exit 9']}]"
    text = project.file.read_text()
    project.file.write_text(text.replace("    deploy:", f"    {hook}\n    deploy:"))
    project.up()
    before = project.containers()
    failed = project.compose("up", "-d", VERSION="two")
    assert failed.returncode == 1
    assert "exit status 9" in failed.stderr
    assert project.containers() == before
    project.ready(2)
    project.file.write_text(text)
    assert project.compose("down", "-t", "0").returncode == 0


DELAY_S, MONITOR_S = 1.5, 1.0


@pytest.mark.long
def test_each_new_one_is_well_for_a_while_before_the_old_one_goes_and_the_next_waits(
    project: Project,
) -> None:
    """By the engine's own times, of which only the least is known."""
    project.write(
        f"update_config: {{order: start-first, monitor: {MONITOR_S}s, delay: {DELAY_S}s}}"
    )
    project.up()
    project.ready(2)
    old = set(project.containers().values())
    began = time.time()
    project.up(VERSION="two")
    told = project.happened(since=began)
    new = set(project.containers().values())
    starts = sorted(at for what, who, at in told if what == "start" and who in new)
    kills = sorted(at for what, who, at in told if what == "kill" and who in old)
    assert (len(starts), len(kills)) == (2, 2)
    assert starts[0] < kills[0] < starts[1] < kills[1]
    for start, kill in zip(starts, kills, strict=True):
        assert kill - start >= MONITOR_S
    assert starts[1] - kills[0] >= DELAY_S


@pytest.mark.long
def test_one_that_ends_while_it_is_watched_is_not_taken(project: Project) -> None:
    project.write("update_config: {order: start-first, monitor: 5m, failure_action: rollback}")
    project.up()
    before = project.containers()
    failed = project.compose("up", "-d", RUN="httpd -p 80 -h /; sleep 1; exit 7")
    assert failed.returncode == 1
    assert "exit code 7" in failed.stderr
    assert project.containers() == before
    project.ready(2)


@pytest.mark.long
def test_rollout_needs_no_words_in_the_file_and_does_nothing_where_nothing_changed(
    project: Project,
) -> None:
    project.write("labels: {a: b}")
    project.up()
    before = project.containers()
    nothing = project.compose("rollout", "web")
    assert nothing.returncode == 0, nothing.stderr
    assert "Nothing has changed" in nothing.stdout
    assert project.containers() == before
    forced = project.compose("rollout", "--force-recreate", "web")
    assert forced.returncode == 0, forced.stderr
    assert "Draining" in forced.stderr
    after = project.containers()
    assert set(after) == set(before)
    assert set(after.values()).isdisjoint(before.values())


@pytest.mark.long
def test_the_plan_says_how_and_a_dry_run_changes_nothing(project: Project) -> None:
    project.up()
    before = project.containers()
    planned = project.compose("plan", "--format", "json", VERSION="two")
    assert planned.returncode == 2
    (change,) = json.loads(planned.stdout)["changes"]
    assert (change["action"], change["order"], change["downtime"]) == (
        "RollOut", "start-first", False
    )  # fmt: skip
    assert [each["name"] for each in change["containers"]] == ["knroll-web-1", "knroll-web-2"]
    told = project.compose("plan", VERSION="two").stdout
    assert "roll out service web (start-first, 1 at a time, without downtime)" in told
    for words in (["rollout"], ["up", "-d"], ["scale", "web=3"]):
        dry = project.compose("--dry-run", *words, VERSION="two")
        assert dry.returncode == 0, dry.stderr
        assert "DRY-RUN MODE" in dry.stderr
    assert project.containers() == before


@pytest.mark.parametrize("version", [pytest.param("one", marks=pytest.mark.long), "two"])
def test_a_rollout_that_was_cut_short_is_ended_or_undone_by_the_next_up(
    project: Project, version: str
) -> None:
    project.write("update_config: {order: start-first, delay: 1h}")
    project.up()
    client = subprocess.Popen(
        [sys.executable, "-m", "knarr", "compose", "-f", str(project.file), "up", "-d"],
        env={**project.daemon.environment, "VERSION": "two"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert client.stderr is not None
    for line in client.stderr:
        if "Draining" in line:
            break
    client.kill()
    client.wait()
    client.stderr.close()
    if version == "one":
        project.up()
    else:
        project.write("update_config: {order: start-first}")
        project.up(VERSION="two")
    assert set(project.containers()) == {"knroll-web-1", "knroll-web-2"}
    project.ready(2)
    again = project.compose("plan", VERSION=version)
    assert again.returncode == 0, again.stdout


@pytest.mark.needs("dockerd")
def test_docker_is_told_what_it_cannot_do_and_stops_first(
    dockerd: PeerDocker, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    text = FILE.format(port=8080, more=START_FIRST).replace("replicas: 2", "replicas: 1")
    file.write_text(text)

    def compose(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "knarr", "compose", "-f", str(file), *words],
            env={**dockerd.environment, **variables},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    try:
        assert compose("up", "-d").returncode == 0
        rolled = compose("up", "-d", VERSION="two")
        assert rolled.returncode == 0, rolled.stderr
        assert "this engine gives port 8080 to one container only" in rolled.stderr
        shown = dockerd("exec", "knroll-web-1", "cat", "/index.html")
        assert shown.stdout == "two\n"
        failed = compose("up", "-d", RUN="exit 4")
        assert failed.returncode == 1
        assert "rolled back" in failed.stderr
        back = compose("rollback")
        assert back.returncode == 0, back.stderr
        assert dockerd("exec", "knroll-web-1", "cat", "/index.html").stdout == "one\n"
        scaled = compose("up", "-d", "--scale", "web=2")
        assert "of 2 just one can start" in scaled.stderr
    finally:
        assert compose("down", "-t", "0").returncode == 0


def test_one_fixed_port_is_spread_over_the_containers_of_a_scaled_service(project: Project) -> None:
    project.write("labels: {a: b}")
    project.up("--scale", "web=3")
    project.ready(3)
    with Load(project.port, rate=RATE) as load:
        until(lambda: load.answers["one"] > RATE)
        down = project.compose("up", "-d", "--scale", "web=1")
        assert down.returncode == 0, down.stderr
    assert load.failures == []
    project.ready(1)
