"""The docker CLI on our engine, with registries on loopback."""

import base64
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemon import Daemon, running_daemon
from support.peers import ANNA, docker_registry, free_port
from support.server import our_registry

pytestmark = pytest.mark.needs("docker", "htpasswd", "docker-registry", "namespaces", "overlay")


@pytest.fixture(scope="module")
def daemon(busybox_archive: Path) -> Iterator[Daemon]:
    """One of this file's own: names for registries would show in what other tests compare."""
    with running_daemon() as daemon:
        good(daemon, "load", "-i", str(busybox_archive))
        yield daemon


@pytest.fixture(params=["debian", "knarr"])
def registry(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    serving = (
        docker_registry(tmp_path) if request.param == "debian" else our_registry(tmp_path, None)
    )
    with serving as host:
        yield host


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    with our_registry(tmp_path, ANNA, "--tokens") as host:
        yield host


def good(daemon: Daemon, *argv: str, given: str = "") -> str:
    done = daemon.docker(*argv, input=given) if given else daemon.docker(*argv)
    assert done.returncode == 0, f"{argv}: {done.stdout} {done.stderr}"
    return str(done.stdout).strip()


def image_id(daemon: Daemon, name: str) -> str:
    return good(daemon, "image", "inspect", "-f", "{{.Id}}", name)


def test_an_image_goes_out_and_comes_back(daemon: Daemon, registry: str) -> None:
    name = f"{registry}/team/busybox:1"
    good(daemon, "tag", "busybox", name)
    pushed = good(daemon, "push", name)
    assert f"The push refers to repository [{registry}/team/busybox]" in pushed
    digest = re.search(r"^1: digest: (sha256:[0-9a-f]{64}) size: \d+$", pushed, re.MULTILINE)
    assert digest, pushed
    assert "Layer already exists" in good(daemon, "push", name)
    identity = image_id(daemon, name)
    good(daemon, "rmi", name)
    pulled = good(daemon, "pull", name)
    assert "1: Pulling from team/busybox" in pulled
    assert f"Digest: {digest[1]}" in pulled
    assert f"Status: Downloaded newer image for {name}" in pulled
    assert pulled.splitlines()[-1] == name
    assert image_id(daemon, name) == identity
    assert f"Status: Image is up to date for {name}" in good(daemon, "pull", name)
    assert good(daemon, "run", "--rm", "--network", "none", name, "echo", "ahoy") == "ahoy"
    digests = good(daemon, "image", "inspect", "-f", "{{json .RepoDigests}}", name)
    assert f"{registry}/team/busybox@{digest[1]}" in json.loads(digests)


def test_a_digest_is_pulled_and_what_was_pulled_is_pushed_as_it_came(
    daemon: Daemon, registry: str
) -> None:
    first, second = f"{registry}/one/busybox", f"{registry}/two/busybox"
    good(daemon, "tag", "busybox", f"{first}:1")
    digest = re.findall(r"sha256:[0-9a-f]{64}", good(daemon, "push", f"{first}:1"))[-1]
    good(daemon, "pull", f"{first}@{digest}")
    good(daemon, "tag", f"{first}@{digest}", f"{second}:x")
    again = good(daemon, "push", f"{second}:x")
    assert f"x: digest: {digest}" in again
    assert "Mounted from one/busybox" in again
    for name in (f"{first}:1", f"{second}:x"):
        good(daemon, "rmi", name)


def test_all_tags_go_and_come(daemon: Daemon, registry: str) -> None:
    name = f"{registry}/many"
    for tag in ("a", "b"):
        good(daemon, "tag", "busybox", f"{name}:{tag}")
    pushed = good(daemon, "push", "-a", name)
    assert "a: digest:" in pushed
    assert "b: digest:" in pushed
    good(daemon, "rmi", f"{name}:a", f"{name}:b")
    assert "b: Pulling from many" in good(daemon, "pull", "-a", name)
    assert set(good(daemon, "images", name, "--format", "{{.Tag}}").split()) == {"a", "b"}
    good(daemon, "rmi", f"{name}:a", f"{name}:b")


def test_what_cannot_be_is_told_as_docker_tells_it(daemon: Daemon, registry: str) -> None:
    missing = daemon.docker("pull", f"{registry}/none")
    assert missing.returncode == 1
    assert missing.stderr.strip() == (
        f"Error response from daemon: manifest for {registry}/none:latest not found:"
        " manifest unknown: manifest unknown"
    )
    unknown = daemon.docker("push", f"{registry}/none:1")
    assert unknown.returncode == 1
    assert f"An image does not exist locally with the tag: {registry}/none" in unknown.stderr
    nobody = daemon.docker("pull", "127.0.0.1:1/x")
    assert nobody.returncode == 1
    assert "connection refused" in nobody.stderr


def test_a_login_opens_what_is_guarded(daemon: Daemon, guarded: str) -> None:
    name = f"{guarded}/team/busybox:1"
    good(daemon, "tag", "busybox", name)
    refused = daemon.docker("push", name)
    assert refused.returncode == 1
    wrong = daemon.docker("login", "-u", "anna", "-p", "wrong", guarded)
    assert wrong.returncode == 1
    assert "wrong" not in wrong.stderr.replace("login attempt", "")
    login = ("login", "-u", ANNA.username, "--password-stdin", guarded)
    assert "Login Succeeded" in good(daemon, *login, given=ANNA.password)
    good(daemon, "push", name)
    good(daemon, "pull", name)
    inspected = good(daemon, "manifest", "inspect", "--insecure", name)
    assert json.loads(inspected)["schemaVersion"] == 2
    good(daemon, "logout", guarded)
    assert daemon.docker("pull", name).returncode == 1
    good(daemon, "rmi", name)
    log = daemon.log.read_text()
    packed = base64.b64encode(f"{ANNA.username}:{ANNA.password}".encode()).decode()
    assert ANNA.password not in log
    assert packed not in log


def test_a_push_is_for_the_platform_that_is_asked_for(daemon: Daemon, registry: str) -> None:
    name = f"{registry}/team/platform:1"
    good(daemon, "tag", "busybox", name)
    here = good(daemon, "image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", name)
    done = daemon.knarr("push", "--platform", here, name)
    assert done.returncode == 0, done.stderr
    other = daemon.knarr("push", "--platform", "linux/s390x", name)
    assert other.returncode == 1
    assert "does not provide the specified platform (linux/s390x)" in other.stderr
    good(daemon, "rmi", name)


def test_search_looks_in_a_registry_that_is_named(daemon: Daemon, registry: str) -> None:
    good(daemon, "tag", "busybox", f"{registry}/tools/busybox:1")
    good(daemon, "push", f"{registry}/tools/busybox:1")
    found = good(daemon, "search", "--format", "{{.Name}}", f"{registry}/busy")
    assert found.split() == [f"{registry}/tools/busybox"]
    assert good(daemon, "search", "--format", "{{.Name}}", f"{registry}/nothing") == ""
    refused = daemon.docker("search", "--limit", "101", f"{registry}/x")
    assert "limit 101 is outside the range of [1, 100]" in refused.stderr
    good(daemon, "rmi", f"{registry}/tools/busybox:1")


def test_the_engine_serves_a_registry_from_its_own_store(busybox_archive: Path) -> None:
    port = free_port()
    with running_daemon(KNARR_REGISTRY=f"127.0.0.1:{port}") as daemon:
        good(daemon, "load", "-i", str(busybox_archive))
        name = f"127.0.0.1:{port}/busybox:1"
        good(daemon, "tag", "busybox", name)
        good(daemon, "push", name)
        stored = len(list((daemon.data_root / "blobs" / "sha256").iterdir()))
        good(daemon, "rmi", name, "busybox")
        good(daemon, "image", "prune", "-af")
        assert len(list((daemon.data_root / "blobs" / "sha256").iterdir())) == stored
        daemon.stop()
        daemon.start()
        assert "Downloaded newer image" in good(daemon, "pull", name)
        assert good(daemon, "run", "--rm", "--network", "none", name, "echo", "ahoy") == "ahoy"


def test_registry_serve_is_a_word_of_knarr(daemon: Daemon) -> None:
    assert "knarr registry serve [OPTIONS]" in daemon.knarr("registry", "serve", "--help").stdout
    refused = daemon.knarr("registry", "serve", "--listen", "0.0.0.0:5000")
    assert refused.returncode == 125
    assert "--plain-http" in refused.stderr


def test_a_build_cache_goes_through_a_registry(
    daemon: Daemon, registry: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo one > /one\n")
    cache = f"type=registry,ref={registry}/caches/app:main"
    name = f"{registry}/caches/app:main"
    first = daemon.knarr("build", "-q", "-t", name, "--cache-to", cache, str(tmp_path))
    assert first.returncode == 0, first.stderr
    assert image_id(daemon, name) == first.stdout.strip()  # the cache did not take its name
    good(daemon, "rmi", "-f", name)
    good(daemon, "builder", "prune", "-af")
    again = daemon.knarr("build", "--cache-from", cache, str(tmp_path))
    assert again.returncode == 0, again.stderr
    assert "1 new step\n" in again.stderr
    assert "DONE" not in again.stderr
    assert "caches/app" not in good(daemon, "images")


def test_a_build_pulls_what_it_stands_on(daemon: Daemon, guarded: str, tmp_path: Path) -> None:
    base, made = f"{guarded}/team/base:1", f"{guarded}/team/made:1"
    good(daemon, "login", "-u", ANNA.username, "--password-stdin", guarded, given=ANNA.password)
    good(daemon, "tag", "busybox", base)
    good(daemon, "push", base)
    good(daemon, "rmi", base)
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {base}\nLABEL made=here\n")
    built = good(daemon, "build", "-t", made, str(folder))
    assert "1: Pulling from team/base" in built
    assert "made: " not in good(daemon, "push", made)
    good(daemon, "logout", guarded)
    good(daemon, "rmi", made, base)
    assert daemon.docker("build", str(folder)).returncode == 1


def _document(registry: str, name: str, reference: str) -> dict[str, Any]:
    """A manifest or an index, as the registry has it."""
    asked = urllib.request.Request(f"http://{registry}/v2/{name}/manifests/{reference}")
    accepted = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    asked.add_header("Accept", accepted)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_a_build_for_several_platforms_is_pushed_with_what_is_said_of_it(
    daemon: Daemon, registry: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY . /$TARGETARCH/\n")
    name = f"{registry}/team/several:1"
    built = daemon.knarr(
        "build", "-q", "--platform", "linux/amd64,linux/s390x", "-t", name, "--push",
        "--annotation", "org.example.all=1", "--annotation", "index:org.example.index=2",
        "--annotation", "manifest[linux/s390x]:org.example.big=3",
        "--annotation", "manifest-descriptor:org.example.entry=4", str(tmp_path),
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    index = _document(registry, "team/several", "1")
    assert index["annotations"] == {"org.example.index": "2"}
    said = {}
    for entry in index["manifests"]:
        assert entry["annotations"] == {"org.example.entry": "4"}
        manifest = _document(registry, "team/several", entry["digest"])
        assert manifest["layers"][0]["mediaType"].endswith("tar+gzip")
        said[entry["platform"]["architecture"]] = manifest["annotations"]
    assert said == {
        "amd64": {"org.example.all": "1"},
        "s390x": {"org.example.all": "1", "org.example.big": "3"},
    }
    good(daemon, "rmi", "-f", name)
