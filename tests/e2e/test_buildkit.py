"""Clients that build through BuildKit: the Compose plug-in, which has buildx inside."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.plugins import compose_plugin

pytestmark = pytest.mark.needs(
    "root", "namespaces", "overlay", "docker", "busybox", "compose-plugin"
)

Compose = Callable[..., "subprocess.CompletedProcess[str]"]

DOCKERFILE = """\
FROM busybox AS tools
ARG WHO=nobody
RUN echo made for $WHO | tee /made

FROM busybox
WORKDIR /app
COPY . .
COPY --from=tools /made /made
LABEL kept=yes
CMD ["cat", "/made"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / ".dockerignore").write_text("*.md\n!kept.md\n")
    (tmp_path / "skipped.md").write_text("skipped")
    (tmp_path / "kept.md").write_text("kept")
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/file").write_bytes(b"x" * 300_000)
    (tmp_path / "deep/link").symlink_to("er/file")
    return tmp_path


@pytest.fixture
def compose(daemon: Daemon, folder: Path) -> Iterator[Compose]:
    """``docker compose`` with BuildKit, in the project's folder."""

    def compose(*words: str) -> "subprocess.CompletedProcess[str]":
        argv = ("env", "-u", "DOCKER_BUILDKIT", "COMPOSE_BAKE=false", "docker", "compose")
        return daemon.run(*argv, "--progress", "plain", *words, cwd=folder, timeout=120)

    with compose_plugin(daemon):
        yield compose
        compose("down", "--rmi", "local")


def _write(folder: Path, build: object, **more: object) -> None:
    project = {"name": "kit", "services": {"web": {"build": build}}, **more}
    (folder / "compose.yaml").write_text(json.dumps(project))


def test_compose_builds_and_shows_how_it_goes(
    compose: Compose, daemon: Daemon, folder: Path
) -> None:
    _write(folder, {"context": ".", "args": {"WHO": "you"}, "labels": {"by": "compose"}})
    built = compose("build")
    assert built.returncode == 0, built.stdout + built.stderr
    assert "[web internal] load build context" in built.stdout
    assert "[web tools 2/2] RUN echo made for $WHO | tee /made" in built.stdout
    assert "made for you" in built.stdout
    assert "naming to docker.io/library/kit-web" in built.stdout

    def inside(*words: str) -> str:
        return daemon.docker("run", "--rm", "--network", "none", "kit-web", *words).stdout

    assert inside() == "made for you\n"
    assert {"./kept.md", "./Dockerfile"} <= set(inside("find", ".").split())
    assert "skipped.md" not in inside("find", ".")
    assert inside("wc", "-c", "deep/link").split()[0] == "300000"
    (image,) = json.loads(daemon.docker("inspect", "kit-web").stdout)
    assert image["Config"]["Labels"]["by"] == "compose"
    assert image["Config"]["Labels"]["kept"] == "yes"

    again = compose("build")
    assert again.stdout.count("CACHED") >= 5, again.stdout
    (folder / "kept.md").write_text("changed")
    changed = compose("build")
    assert "CACHED" in changed.stdout
    assert inside("cat", "kept.md") == "changed"


def test_a_failed_step_is_told_with_its_output(compose: Compose, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo spoken; exit 4\n")
    _write(folder, ".")
    built = compose("build")
    assert built.returncode != 0
    assert "spoken" in built.stdout
    sentence = (
        'process "/bin/sh -c echo spoken; exit 4" did not complete successfully: exit code: 4'
    )
    assert sentence in built.stderr
    assert "Step" not in built.stdout
    (folder / "Dockerfile").write_text("FROM busybox\nRUNN\n")
    built = compose("build")
    assert built.returncode != 0
    assert "dockerfile parse error on line 2: unknown instruction: RUNN" in built.stderr
    (folder / "Dockerfile").unlink()
    built = compose("build")
    assert "failed to read dockerfile" in built.stderr


def test_secrets_targets_and_other_folders_reach_the_build(
    compose: Compose, daemon: Daemon, folder: Path
) -> None:
    (folder / "token").write_text("s3cret\n")
    (folder / "other").mkdir()
    (folder / "other/shared").write_text("shared\n")
    (folder / "docker").mkdir()
    (folder / "docker/web").write_text(
        "FROM busybox AS first\n"
        "RUN --mount=type=secret,id=token cp /run/secrets/token /seen\n"
        "RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent\n"
        "COPY --from=extra /shared /shared\n"
        "RUN grep buildhost /etc/hosts > /hosts\n"
        "FROM first\nRUN exit 1\n"
    )
    _write(
        folder,
        {
            "context": ".", "dockerfile": "docker/web", "target": "first", "secrets": ["token"],
            "additional_contexts": {"extra": "./other"}, "extra_hosts": {"buildhost": "10.1.2.3"},
            "tags": ["kit-also:2"],
        },
        secrets={"token": {"file": "./token"}},
    )  # fmt: skip
    built = compose("build")
    assert built.returncode == 0, built.stdout + built.stderr
    seen = daemon.docker(
        "run", "--rm", "--network", "none", "kit-also:2", "cat", "/seen", "/shared", "/hosts"
    ).stdout
    assert seen.splitlines()[:2] == ["s3cret", "shared"]
    assert "10.1.2.3" in seen
    assert "s3cret" not in daemon.log.read_text()
    daemon.docker("rmi", "kit-also:2")


def test_up_builds_what_is_not_there(compose: Compose, folder: Path) -> None:
    _write(folder, ".")
    up = compose("up", "--no-log-prefix")
    assert up.returncode == 0, up.stdout + up.stderr
    assert "made for nobody" in up.stdout


@pytest.fixture(scope="session")
def old_docker() -> str:
    """A docker CLI of before 23, which has BuildKit's client in itself."""
    for place in dict.fromkeys((shutil.which("docker") or "", "/usr/bin/docker")):
        if place and Path(place).exists():
            told = subprocess.run([place, "--version"], capture_output=True, text=True, check=True)
            version = re.search(r"version (\d+)\.", told.stdout)
            if version and int(version[1]) < 23:
                return place
    pytest.skip("no docker CLI with a BuildKit client of its own is installed")


def test_a_docker_cli_with_buildkit_in_itself_builds(
    old_docker: str, daemon: Daemon, folder: Path
) -> None:
    def build(*words: str) -> "subprocess.CompletedProcess[str]":
        argv = ("env", "DOCKER_BUILDKIT=1", old_docker, "build", *words)
        return daemon.run(*argv, cwd=folder, timeout=120, stdin=subprocess.DEVNULL)

    (folder / "token").write_text("s3cret")
    (folder / "Asks").write_text(
        "FROM busybox\nRUN --mount=type=secret,id=token cp /run/secrets/token /told\nCOPY . /all\n"
    )
    built = build("--progress", "plain", "-t", "kit-old", "-f", "Asks",
                  "--secret", "id=token,src=token", ".")  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert "[2/3] RUN --mount=type=secret" in built.stderr
    assert "naming to docker.io/library/kit-old" in built.stderr
    seen = daemon.docker(
        "run", "--rm", "--network", "none", "kit-old", "cat", "/told", "/all/kept.md"
    )
    assert seen.stdout == "s3cretkept"

    quiet = build("-q", "-f", "Asks", "--secret", "id=token,src=token", ".")
    image = daemon.docker("inspect", "-f", "{{.Id}}", "kit-old").stdout
    assert quiet.stdout == image
    assert build("-f", "Asks", "-o", "out", ".").returncode == 0
    assert (folder / "out/all/deep/link").readlink() == Path("er/file")
    assert (folder / "out/all/deep/link").stat().st_size == 300_000

    (folder / "Asks").write_text("FROM busybox\nRUN exit 3\n")
    failed = build("-f", "Asks", ".")
    assert failed.returncode == 1
    assert "did not complete successfully: exit code: 3" in failed.stderr
    missing = build("-f", "nowhere", ".")
    assert "failed to read dockerfile: open nowhere: no such file or directory" in missing.stderr
    daemon.docker("rmi", "kit-old")
