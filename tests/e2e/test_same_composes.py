"""One project by every Compose: the same containers, networks, volumes and labels.

The real plug-in on knarr's engine says what is right. Against it: knarr's Compose on knarr and on
Docker, and Debian's docker-compose 1.29 and podman-compose on knarr.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from e2e.conftest import PeerDocker
from support.composes import OURS, Compose, classic, knarrs, picture, plugin, podmans
from support.daemon import Daemon
from support.samples import eventually

pytestmark = pytest.mark.needs(
    "root", "namespaces", "overlay", "docker", "dockerd", "busybox", "compose-plugin",
    "docker-compose",
)  # fmt: skip

PROJECTS: Final = {
    "plain": """\
version: "3.8"
services:
  db:
    image: busybox
    command: sh -c 'touch /data/ready; exec sleep 1000'
    volumes: [data:/data]
    networks: [back]
    environment: {A: b, FROM_SHELL: "${GREETING:-ahoy}"}
    stop_signal: SIGKILL
  web:
    image: busybox
    command: httpd -f -p 80 -h /site
    working_dir: /site
    user: "0:0"
    hostname: www1
    env_file: web.env
    depends_on: [db]
    ports: ["127.0.0.1::80"]
    volumes: ["./site:/site:ro"]
    networks: {back: {}, front: {aliases: [www]}}
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    dns: 9.9.9.9
    extra_hosts: ["x:1.2.3.4"]
    tmpfs: /tt
    init: true
    restart: unless-stopped
    read_only: true
    labels: {com.example: x}
    ulimits: {nofile: 1000}
    sysctls: {net.ipv4.ip_forward: "1"}
    logging: {driver: json-file, options: {max-size: 1m}}
networks: {back: {internal: true, labels: {n: l}}, front: {}}
volumes: {data: {labels: {x: y}}}
""",
    "built": """\
version: "3.8"
services:
  app:
    build: {context: ., args: {WHO: me}}
    image: same-app:1
    healthcheck: {test: "test -e /hello", interval: 1s, timeout: 2s, retries: 3}
    stdin_open: true
    tty: true
    stop_grace_period: 1s
    scale: 2
    networks: [net]
  once:
    image: busybox
    entrypoint: [sh, -c]
    command: ["exit 3"]
    container_name: once-only
    networks: [net]
    volumes: [/anonymous]
networks: {net: {driver_opts: {com.docker.network.driver.mtu: "1400"}}}
""",
}
WHO: Final = ("knarr on knarr", "knarr on Docker", "docker-compose 1.29", "podman-compose")
# What the older and the other ones say as well.
_IDENTITY: Final = frozenset(OURS + name for name in ("project", "service", "container-number"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("composes") / "same"
    (folder / "site").mkdir(parents=True)
    (folder / "site/index.html").write_text("a page\n")
    (folder / "web.env").write_text("FROM_FILE=yes\n")
    (folder / "Dockerfile").write_text(
        'FROM busybox\nARG WHO\nRUN echo hello $WHO > /hello\nCMD ["sleep", "1000"]\n'
    )
    return folder


@pytest.fixture(scope="module")
def composes(daemon: Daemon, dockerd: PeerDocker) -> dict[str, Compose]:
    each = (
        knarrs(daemon.environment, "knarr"),
        knarrs(dockerd.environment, "Docker"),
        classic(daemon.environment),
        podmans(daemon.environment),
        plugin(daemon.environment),
    )
    return {compose.name: compose for compose in each}


def _shown(compose: Compose, folder: Path) -> dict[str, Any]:
    """The project while it is up. Afterwards nothing of it may be left."""
    try:
        compose.run(folder, "up", "-d")
        seen = eventually(lambda: _at_rest(picture(compose.environment, "same")))
    finally:
        compose.run(folder, "down", "-v", "-t", "1")
    assert picture(compose.environment, "same") == {"containers": {}, "networks": {}, "volumes": {}}
    return seen


def _at_rest(seen: dict[str, Any]) -> dict[str, Any] | None:
    """Nothing while the service that only says its exit code has yet to end."""
    once = seen["containers"].get("once-only", {"state": "exited"})
    return seen if once["state"] == "exited" else None


def _lines(seen: object, kept: Callable[[str], bool], path: str = "") -> Iterator[str]:
    """One line for each fact, so that a difference is a line."""
    if not isinstance(seen, dict):
        yield f"{path}: {seen}"
        return
    for key, value in seen.items():
        if not path.endswith("/labels") or kept(key):
            yield from _lines(value, kept, f"{path}/{key}")


def _kept(who: str) -> Callable[[str], bool]:
    if who.startswith("knarr"):
        return lambda _key: True  # even the hash: what one has made the other leaves alone
    return lambda key: key in _IDENTITY or not key.startswith((OURS, "io.podman.", "PODMAN_"))


@pytest.fixture(scope="module", params=PROJECTS)
def project(request: pytest.FixtureRequest, folder: Path) -> str:
    (folder / "compose.yaml").write_text(PROJECTS[request.param])
    return str(request.param)


@pytest.fixture(scope="module")
def right(project: str, composes: dict[str, Compose], folder: Path) -> dict[str, Any]:
    return _shown(composes["plug-in"], folder)


@pytest.mark.parametrize("who", WHO)
def test_the_same_project_is_the_same_by(
    who: str, project: str, right: dict[str, Any], composes: dict[str, Compose], folder: Path
) -> None:
    if (who, project) == ("podman-compose", "built"):
        pytest.skip("it gives entrypoints in words of podman that docker's client lacks")
    kept = _kept(who)
    want = set(_lines(right, kept))
    got = set(_lines(_shown(composes[who], folder), kept))
    told = [f"+ {line}" for line in sorted(got - want)]
    told += [f"- {line}" for line in sorted(want - got)]
    assert not told, "\n".join(told)
