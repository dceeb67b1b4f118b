"""The real Compose plug-in of the docker CLI, driving a project on knarr's engine."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.plugins import compose_plugin
from support.samples import fetched
from support.terminal import on_terminal

pytestmark = pytest.mark.needs(
    "root", "namespaces", "overlay", "docker", "busybox", "compose-plugin"
)

PROJECT = """\
name: plug
services:
  db:
    image: busybox
    command: sh -c 'while [ ! -e /data/go ]; do sleep 0.1; done; exec sleep 1000'
    volumes: [data:/data]
    healthcheck: {test: touch /data/go, interval: 0.2s, retries: 50}
    networks: [back]
    stop_grace_period: 0s
  migrate:
    image: busybox
    command: echo migrated
    depends_on: {db: {condition: service_healthy}}
    networks: [back]
  web:
    build: .
    command: httpd -f -p 80 -h /site
    depends_on: {migrate: {condition: service_completed_successfully}}
    ports: ["127.0.0.1::80"]
    volumes: ["./site:/site:ro"]
    secrets: [password, {source: token, target: api_token}]
    configs: [{source: inline, target: /etc/app.conf, mode: 0440}]
    networks: {back: {}, front: {aliases: [www]}}
    environment: {GREETING: ahoy}
    stop_signal: SIGKILL
secrets: {password: {file: password.txt}, token: {environment: TOKEN}}
configs: {inline: {content: "token is ${TOKEN}\\n"}}
networks: {back: {internal: true}, front: {}}
volumes: {data: {labels: {keep: "no"}}}
"""

Compose = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(PROJECT)
    (tmp_path / ".env").write_text("TOKEN=t0ken\n")
    (tmp_path / "password.txt").write_text("s3cret\n")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /built\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("a page\n")
    return tmp_path


@pytest.fixture
def compose(daemon: Daemon, folder: Path) -> Iterator[Compose]:
    """``docker compose`` in the project's folder; what it printed. It must succeed."""

    def compose(*words: str, code: int = 0) -> str:
        done = daemon.docker("compose", *words, cwd=folder, timeout=120)
        assert done.returncode == code, (words, done.returncode, done.stdout + done.stderr)
        return done.stdout

    with compose_plugin(daemon):
        yield compose
        daemon.docker("compose", "down", "-v", "--rmi", "local", "--remove-orphans", cwd=folder)


def _states(compose: Compose) -> dict[str, str]:
    told = [json.loads(line) for line in compose("ps", "-a", "--format", "json").splitlines()]
    return {each["Name"]: each["State"] + each["Health"] for each in told}


def test_a_project_comes_up_in_the_order_of_its_conditions_and_goes(
    compose: Compose, daemon: Daemon
) -> None:
    compose("up", "-d")
    assert _states(compose) == {
        "plug-db-1": "runninghealthy", "plug-migrate-1": "exited", "plug-web-1": "running",
    }  # fmt: skip
    assert "migrated" in compose("logs", "migrate")
    assert compose("config", "--services").split() == ["db", "migrate", "web"]
    inside = "cat /run/secrets/password /run/secrets/api_token /etc/app.conf /built; echo $GREETING"
    assert compose("exec", "-T", "web", "sh", "-c", inside).splitlines() == [
        "s3cret", "t0kentoken is t0ken", "built", "ahoy",
    ]  # fmt: skip
    asked = "until wget -qO- http://web/; do sleep 0.1; done"
    assert compose("exec", "-T", "db", "sh", "-c", asked) == "a page\n"
    compose("exec", "-T", "web", "sh", "-c", "exit 7", code=7)
    address = compose("port", "web", "80").strip()
    assert fetched(f"http://{address}/") == "a page\n"
    assert [each["Name"] for each in json.loads(compose("ls", "--format", "json"))] == ["plug"]

    compose("down", "-v")
    ours = "label=com.docker.compose.project=plug"
    for listed in (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"]):
        assert daemon.docker(*listed, "--filter", ours).stdout == ""


def test_what_runs_is_left_alone_scaled_and_replaced_where_it_changed(
    compose: Compose, daemon: Daemon, folder: Path
) -> None:
    def ids(service: str) -> list[str]:
        return sorted(compose("ps", "-q", service).split())

    compose("up", "-d")
    web, database = ids("web"), ids("db")
    compose("up", "-d")
    assert (ids("web"), ids("db")) == (web, database)
    compose("up", "-d", "--scale", "web=3")
    assert len(ids("web")) == 3
    assert set(web) < set(ids("web"))
    compose("scale", "web=1")
    assert ids("web") == web
    (folder / "compose.yaml").write_text(PROJECT.replace("ahoy", "hello"))
    compose("up", "-d")
    assert ids("web") != web
    assert ids("db") == database
    assert "hello" in compose("exec", "-T", "web", "env")
    compose("stop", "web")
    compose("rm", "-f", "web")
    assert "plug-web-1" not in _states(compose)


def test_one_off_containers_and_files_both_ways(compose: Compose, folder: Path) -> None:
    compose("build")
    assert compose("run", "--rm", "--no-deps", "-T", "web", "cat", "/built") == "built\n"
    compose("run", "--rm", "--no-deps", "-T", "web", "sh", "-c", "exit 5", code=5)
    compose("up", "-d", "--no-deps", "web")
    (folder / "there").write_text("and back\n")
    compose("cp", "there", "web:/tmp/there")
    compose("cp", "web:/tmp/there", "back")
    assert (folder / "back").read_text() == "and back\n"
    served = compose("run", "-d", "--no-deps", "--service-ports", "web").strip()
    assert served in compose("ps", "-aq", "--no-trunc")
    assert re.search(r"plug-web-1 +busybox|plug-web", compose("images"))
    for words in (["pause", "web"], ["unpause", "web"], ["restart", "web"], ["kill", "web"]):
        compose(*words)
    assert _states(compose)["plug-web-1"] == "exited"


def test_up_attached_shows_the_logs_and_takes_all_down_with_the_one_that_ends(
    compose: Compose, folder: Path
) -> None:
    (folder / "compose.yaml").write_text("""\
name: plug
services:
  talker: {image: busybox, command: sh -c 'echo spoken; sleep 0.3; exit 4'}
  other: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
""")
    shown = compose("up", "--exit-code-from", "talker", code=4)
    assert "talker-1  | spoken" in shown
    assert "talker-1 exited with code 4" in shown
    assert set(_states(compose).values()) == {"exited"}


def test_a_shell_of_a_service_has_a_terminal(
    compose: Compose, daemon: Daemon, folder: Path
) -> None:
    compose("up", "-d", "--no-deps", "web")
    docker = shutil.which("docker") or ""
    argv = [docker, "compose", "--project-directory", str(folder), "exec", "web", "sh"]
    with on_terminal(argv, daemon.environment) as terminal:
        terminal.type(b"test -t 0 && echo a-$((40+2))\n")
        terminal.expect(b"a-42")
        terminal.type(b"exit 6\n")
        assert terminal.wait() == 6


# What has several spellings, as the differential over its own suites found it.
SPELLINGS = """\
name: spelled
services:
  a:
    image: "b:${T}"
    environment: [A=1, B, A=2]
    labels: {n: 1, t: true, f: 1.5}
    extra_hosts: ["h:1.2.3.4", "i=5.6.7.8"]
    dns: 1.1.1.1
    dns_search: foo
    env_file: [{path: ./x.env, required: false}]
    ports: ["8080:80", "90"]
    sysctls: [a=1]
    ulimits: {nofile: 100}
    networks: [n]
    depends_on: [c]
    logging: {driver: json-file, options: {max-size: 5}}
    build: {context: ., args: {V: 1}, ssh: [default], extra_hosts: {m: 1.1.1.1}}
    gpus: all
  c: {image: x, ports: ["${P}:80"], environment: {N: 1, E: null}, labels: [a=b], read_only: "true"}
networks: {n: {driver_opts: {q: 3}}}
"""
SPELLED_OVER = """\
services:
  a:
    environment: {B: 7}
    labels: [n=2]
    extra_hosts: {h: 1.2.3.4}
    dns: [8.8.8.8]
    env_file: b.env
    sysctls: {b: 2}
    build: {args: [V=2, W]}
"""


@pytest.mark.parametrize("files", [("a.yaml",), ("a.yaml", "b.yaml")])
def test_without_variables_expanded_config_is_the_same(
    compose: Compose, daemon: Daemon, folder: Path, files: tuple[str, ...]
) -> None:
    (folder / "a.yaml").write_text(SPELLINGS)
    (folder / "b.yaml").write_text(SPELLED_OVER)
    flags = [word for file in files for word in ("-f", file)]
    words = [*flags, "config", "--no-interpolate", "--format", "json"]
    ours = daemon.knarr("compose", *words, cwd=folder)
    assert json.loads(ours.stdout) == json.loads(compose(*words)), ours.stderr
