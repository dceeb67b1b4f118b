"""``knarr compose build`` with real builds: each attribute of ``build`` by what it does."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.plugins import compose_plugin
from support.samples import fetched
from support.server import our_registry
from support.waiting import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

PROJECT = """\
name: shipyard
services:
  fitted:
    image: shipyard/fitted:1
    build:
      context: ./source
      dockerfile: ../Dockerfile.fitted
      target: last
      args: {WHERE: here, FROM_ENV: }
      labels: {of: the yard}
      tags: ["shipyard/fitted:same"]
      network: none
      shm_size: 8m
      ulimits: {nofile: {soft: 111, hard: 222}}
      extra_hosts: [harbour=192.0.2.7]
      secrets: [{source: token, target: renamed}, word]
      ssh: [agent=./agent.sock]
      additional_contexts:
        hull: service:hull
        files: ./files
        box: docker-image://busybox
  hull:
    build:
      dockerfile_inline: |
        FROM scratch
        COPY plank /plank
      context: ./files
secrets: {token: {environment: TOKEN}, word: {file: ./word.txt}}
"""

FITTED = """\
FROM busybox AS last
ARG WHERE FROM_ENV
COPY own /own
COPY --from=hull plank /from-service
COPY --from=files plank /from-folder
COPY --from=box /bin/true /from-image
RUN echo $WHERE $FROM_ENV >/args; df -m /dev/shm | awk 'END {print $2}' >/shm; \
    ulimit -n >/nofile; grep harbour /etc/hosts >/hosts; ls /sys/class/net | tr '\\n' ' ' >/links
RUN --mount=type=secret,id=renamed --mount=type=secret,id=word \
    cat /run/secrets/renamed /run/secrets/word >/secrets
RUN --mount=type=ssh,id=agent test -S "$SSH_AUTH_SOCK" && echo yes >/agent
CMD grep "" /own /args /shm /nofile /hosts /links /secrets /agent /from-service /from-folder
FROM last
RUN false
"""

FOUND = """\
/own:own
/args:here env
/shm:8
/nofile:111
/hosts:192.0.2.7\tharbour
/links:lo\x20
/secrets:t0ken
/secrets:word
/agent:yes
/from-service:plank
/from-folder:plank
"""

Compose = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    for name, text in {
        "compose.yaml": PROJECT,
        "Dockerfile.fitted": FITTED,
        ".env": "TOKEN=t0ken\nFROM_ENV=env\n",
        "word.txt": "\nword\n",
        "source/own": "own\n",
        "files/plank": "plank\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent.sock"))
        agent.listen()
        yield tmp_path


@pytest.fixture
def compose(daemon: Daemon, folder: Path) -> Compose:
    def compose(
        *words: str, code: int = 0, file: str = "compose.yaml"
    ) -> subprocess.CompletedProcess[str]:
        done = daemon.knarr("compose", "-f", str(folder / file), *words)
        assert done.returncode == code, (words, done.returncode, done.stdout + done.stderr)
        return done

    return compose


def image(daemon: Daemon, name: str) -> str:
    return daemon.docker("image", "inspect", "-f", "{{.Id}}", name).stdout.strip()


def test_each_attribute_has_its_effect(daemon: Daemon, compose: Compose) -> None:
    compose("build", "fitted")
    ran = daemon.docker("run", "--rm", "--network", "none", "shipyard/fitted:1")
    assert ran.stdout == FOUND
    assert image(daemon, "shipyard/fitted:same") == image(daemon, "shipyard/fitted:1")
    told = daemon.docker("image", "inspect", "shipyard/fitted:1").stdout
    labels = json.loads(told)[0]["Config"]["Labels"]
    assert labels["of"] == "the yard"
    assert labels["com.docker.compose.service"] == "fitted"
    assert "t0ken" not in told + daemon.docker("history", "--no-trunc", "shipyard/fitted:1").stdout


@pytest.mark.needs("compose-plugin")
def test_the_plug_in_builds_the_same_images(daemon: Daemon, compose: Compose, folder: Path) -> None:
    compose("build")
    ours = [image(daemon, name) for name in ("shipyard/fitted:1", "shipyard-hull")]
    with compose_plugin(daemon):
        argv = ("env", "-u", "DOCKER_BUILDKIT", "COMPOSE_BAKE=false", "docker", "compose", "build")
        built = daemon.run(*argv, cwd=folder, timeout=120)
    assert built.returncode == 0, built.stderr
    assert [image(daemon, name) for name in ("shipyard/fitted:1", "shipyard-hull")] == ours


def test_up_run_and_create_build_with_all_of_it(daemon: Daemon, compose: Compose) -> None:
    try:
        ran = compose("run", "--rm", "--build", "-T", "fitted", "cat", "/secrets")
        assert ran.stdout.endswith("t0ken\nword\n")
        assert compose("up", "--build", "fitted").stdout.count("from-service:plank") == 1
        compose("create", "--build", "fitted")
    finally:
        compose("down")


PLAIN = "name: shipyard\nservices:\n  it:\n    build:\n      dockerfile_inline: |\n%s      %s\n"
INSECURE = """\
        FROM busybox
        RUN --security=insecure mkdir /m && mount -t tmpfs x /m
"""


def test_rights_are_given_by_entitlements_and_by_privileged(compose: Compose, folder: Path) -> None:
    def build(more: str, code: int = 0) -> str:
        (folder / "compose.yaml").write_text(PLAIN % (INSECURE, more))
        return compose("build", code=code).stderr

    refused = "security.insecure is not allowed"
    assert refused in build("pull: false", 1)
    build("privileged: true")
    build("entitlements: [security.insecure]")
    assert refused in build("pull: false", 1)  # though the cache has the step by now


STAGES = """\
        FROM busybox AS one
        RUN head -c8 /dev/urandom | od >/one
        FROM one AS two
        RUN head -c8 /dev/urandom | od >/two
        CMD cat /one /two
"""


def test_caches_are_used_kept_elsewhere_and_passed_over(
    daemon: Daemon, compose: Compose, folder: Path
) -> None:
    def built(more: str, *flags: str) -> list[str]:
        (folder / "compose.yaml").write_text(PLAIN % (STAGES, more))
        compose("build", "--quiet", *flags)
        ran = daemon.docker("run", "--rm", "--network", "none", "shipyard-it").stdout.splitlines()
        return [ran[0], ran[2]]

    cache = folder / "cache"
    one, two = built(f'cache_to: ["type=local,dest={cache},mode=max"]')
    assert (cache / "index.json").exists()
    assert built("pull: false") == [one, two]
    again = built("no_cache_filter: two")
    assert again[0] == one
    assert again[1] != two
    daemon.docker("image", "rm", "-f", "shipyard-it")
    daemon.docker("builder", "prune", "-af")
    assert built(f'cache_from: ["type=local,src={cache}"]') == [one, two]
    assert one not in built("no_cache: true")
    assert one not in built("pull: false", "--no-cache")


def test_several_platforms_come_under_one_name(
    daemon: Daemon, compose: Compose, folder: Path
) -> None:
    text = "        FROM scratch\n        COPY own /\n"
    more = "context: ./source\n      platforms: [linux/amd64, linux/arm64]"
    (folder / "compose.yaml").write_text(PLAIN % (text, more))
    compose("build")
    variants = [
        daemon.docker(
            "image", "inspect", "-f", "{{.Architecture}}", "--platform", each, "shipyard-it"
        ).stdout.strip()
        for each in ("linux/amd64", "linux/arm64")
    ]
    assert variants == ["amd64", "arm64"]


def test_newer_bases_are_fetched_but_never_those_of_the_project(
    compose: Compose, folder: Path
) -> None:
    (folder / "compose.yaml").write_text("""\
name: shipyard
services:
  upper: {build: {dockerfile_inline: "FROM below", additional_contexts: {below: "service:below"}}}
  below: {build: {context: ./source, dockerfile_inline: "FROM scratch\\nCOPY own /"}}
""")
    compose("build", "--pull")


def test_check_finds_what_is_probably_not_meant(compose: Compose, folder: Path) -> None:
    text = "        FROM busybox AS Base\n        from Base\n"
    (folder / "compose.yaml").write_text(PLAIN % (text, "pull: false"))
    checked = compose("build", "--check", code=1)
    assert "it: " in checked.stdout
    assert "ConsistentInstructionCasing" in checked.stdout
    compose("build", "--quiet", "--memory", "64m")
    (folder / "good.yaml").write_text(PLAIN % ("        FROM busybox\n", "pull: false"))
    checked = compose("build", "--check", file="good.yaml")
    assert checked.stdout == "Check complete, no warnings found.\n"


def test_with_dependencies_builds_those_of_depends_on_too(
    daemon: Daemon, compose: Compose, folder: Path
) -> None:
    (folder / "compose.yaml").write_text("""\
name: shipyard
services:
  first: {build: {dockerfile_inline: FROM busybox}, depends_on: [second]}
  second: {build: {dockerfile_inline: "FROM busybox\\nLABEL second=1"}}
""")
    daemon.docker("image", "rm", "-f", "shipyard-second")
    compose("build", "first")
    assert not image(daemon, "shipyard-second")
    compose("build", "--with-dependencies", "first")
    assert image(daemon, "shipyard-second")


def test_push_sends_all_names_and_all_platforms(
    compose: Compose, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with our_registry(tmp_path_factory.mktemp("registry"), None) as registry:
        (folder / "compose.yaml").write_text(f"""\
name: shipyard
services:
  sent:
    image: {registry}/yard/sent:1
    build:
      context: ./source
      dockerfile_inline: "FROM scratch\\nCOPY own /"
      tags: ["{registry}/yard/sent:also"]
      platforms: [linux/amd64, linux/arm64]
""")
        compose("build", "--push")
        tags = json.loads(fetched(f"http://{registry}/v2/yard/sent/tags/list"))["tags"]
        sent = json.loads(fetched(f"http://{registry}/v2/yard/sent/manifests/1"))
    assert tags == ["1", "also"]
    assert [each["platform"]["architecture"] for each in sent["manifests"]] == ["amd64", "arm64"]


def test_watch_builds_anew_with_secrets_and_contexts(
    daemon: Daemon, compose: Compose, folder: Path
) -> None:
    file = folder / "compose.yaml"
    image = "    image: shipyard/fitted:1\n"
    watched = "    command: sleep 1000\n    init: true\n    stop_signal: SIGKILL\n"
    rule = "    develop: {watch: [{action: rebuild, path: ./source}]}\n"
    file.write_text(PROJECT.replace(image, image + watched + rule))
    compose("up", "-d", "--build", "fitted")
    log = folder / "watch.log"
    with log.open("wb") as out:
        watching = subprocess.Popen(
            [sys.executable, "-m", "knarr", "compose", "-f", str(file), "watch", "fitted"],
            env=daemon.environment, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        until(lambda: "Watch enabled" in log.read_text(), seconds=60, say=log.read_text)
        (folder / "source/own").write_text("changed\n")
        own = ("exec", "shipyard-fitted-1", "cat", "/own")
        until(lambda: daemon.docker(*own).stdout == "changed\n", seconds=60, say=log.read_text)
    finally:
        watching.terminate()
        watching.wait()
        compose("down")
