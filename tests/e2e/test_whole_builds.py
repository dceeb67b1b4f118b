"""Dockerfiles in the manner of what people have, on knarr; and the same by Docker's builders."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import golden, images
from support.abilities import lacking
from support.daemon import Daemon
from support.dockerd import Docker, private_dockerd
from support.whole_builds import Case, Files, cases, listed

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "busybox")
_BUILD_S = 600.0


def named(case: Case) -> str:
    return case.name


def on_knarr(daemon: Daemon, case: Case, base: Files, place: Path) -> str:
    network = "none" if case.base == "busybox" else "default"
    fixed = ("build", "-q", "--network", network, "-o", f"type=tar,dest={place}")
    for words in case.builds():
        built = daemon.knarr(*fixed, *words, cwd=case.context, timeout=_BUILD_S)
        assert built.returncode == 0, built.stderr
    config = json.loads(asked(daemon.socket, f"/images/{case.tag}/json"))["Config"]
    return case.told(place.read_bytes(), base, config)


def asked(engine: Path, path: str) -> bytes:
    """What the engine's socket answers to a GET; a client program would take longer to start."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as answer:
        connection.connect(str(engine))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body


def files_of(daemon: Daemon, image: str, place: Path) -> bytes:
    """Through an output of a build that does nothing else."""
    wrote = daemon.knarr(
        "build", "-q", "-o", f"type=tar,dest={place}", "-", input=f"FROM {image}\n"
    )
    assert wrote.returncode == 0, wrote.stderr
    return place.read_bytes()


def check_run(daemon: Daemon, case: Case) -> None:
    if case.runs:
        ran = daemon.knarr(
            "run", "--rm", "--network", "none", case.tag, *case.about["run"], timeout=_BUILD_S
        )
        assert ran.stdout == case.about["says"], ran.stderr


@pytest.fixture(scope="session")
def busybox_files(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return listed(files_of(daemon, "busybox", tmp_path_factory.mktemp("base") / "base.tar"))


@pytest.mark.parametrize("case", cases("busybox"), ids=named)
def test_a_dockerfile_gives_the_same_files_and_config_as_ever(
    daemon: Daemon, case: Case, busybox_files: Files, tmp_path: Path
) -> None:
    golden.check(
        case.folder / "result", on_knarr(daemon, case, busybox_files, tmp_path / "image.tar")
    )


@pytest.mark.long
@pytest.mark.parametrize("case", [each for each in cases("busybox") if each.runs], ids=named)
def test_what_was_built_runs(daemon: Daemon, case: Case, tmp_path: Path) -> None:
    on_knarr(daemon, case, {}, tmp_path / "image.tar")
    check_run(daemon, case)


# The same on Docker


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    if reason := lacking("dockerd"):
        if os.environ.get("KNARR_CI"):
            pytest.fail(f"needs dockerd: {reason}", pytrace=False)
        pytest.skip(f"needs dockerd: {reason}")
    with private_dockerd(tmp_path_factory.mktemp("docker")) as docker:
        docker("load", given=images.busybox())
        yield docker


def buildkit_client() -> str:
    """A docker CLI of before 23, which has BuildKit's client in it."""
    for program in ("docker", "/usr/bin/docker"):
        path = shutil.which(program)
        if path and _major(path) < 23:
            return path
    pytest.skip("no docker CLI with a BuildKit client of its own is installed")


def _major(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[2].split(".")[0])


def on_docker(peer: Docker, case: Case, base: Files) -> str:
    buildkit = case.peer == "buildkit"
    program = buildkit_client() if buildkit else "docker"
    environment = {
        **os.environ, "DOCKER_HOST": peer.host, "DOCKER_BUILDKIT": "1" if buildkit else "0",
    }  # fmt: skip
    for words in case.builds():
        built = subprocess.run(
            [program, "build", "-q", "--network", "host", *words],
            cwd=case.context, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert built.returncode == 0, built.stderr
    config = json.loads(peer.text("image", "inspect", case.tag))[0]["Config"]
    return case.told(docker_files(peer, case.tag), base, config)


def docker_files(peer: Docker, image: str) -> bytes:
    container = peer.text("create", image, "/none").strip()
    try:
        return peer("export", container).stdout
    finally:
        peer("rm", container)


def comparable(base: str) -> list[Case]:
    return [case for case in cases(base) if case.peer in {"classic", "buildkit"}]


@pytest.mark.long
@pytest.mark.parametrize("case", comparable("busybox"), ids=named)
def test_docker_gives_the_same_files_and_config(peer: Docker, case: Case) -> None:
    base = listed(docker_files(peer, "busybox"))
    assert on_docker(peer, case, base) == (case.folder / "result").read_text()


# With packages of the distribution


@pytest.fixture(scope="module")
def debian(daemon: Daemon) -> Iterator[Callable[[], bytes]]:
    """``debian`` as made here; gives its archive for the other engine."""
    made = daemon.knarr("image", "bootstrap", "debian", timeout=_BUILD_S)
    assert made.returncode == 0, made.stderr

    def archive() -> bytes:
        saved = daemon.folder / "debian.tar"
        daemon.knarr("save", "-o", str(saved), "debian", timeout=_BUILD_S)
        return saved.read_bytes()

    yield archive
    daemon.knarr("rmi", "debian")


@pytest.mark.long
@pytest.mark.parametrize("case", cases("debian"), ids=named)
def test_packages_of_the_distribution_build_on_both(
    daemon: Daemon, peer: Docker, debian: Callable[[], bytes], case: Case, tmp_path: Path
) -> None:
    base = listed(files_of(daemon, "debian", tmp_path / "base.tar"))
    ours = on_knarr(daemon, case, base, tmp_path / "image.tar")
    check_run(daemon, case)
    if case.peer in {"classic", "buildkit"}:
        if peer("image", "inspect", "debian", check=False).returncode:
            peer("load", given=debian())
        assert ours == on_docker(peer, case, base)
