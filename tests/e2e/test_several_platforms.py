"""Images for several platforms under one name: pushed and pulled whole, and one of them taken."""

import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from knarr.image import machine
from support import images
from support.daemon import Daemon, running_daemon
from support.layouts import layout
from support.server import our_registry

pytestmark = pytest.mark.needs("namespaces", "overlay")

HERE = machine().architecture
OTHER = "arm64" if HERE == "amd64" else "amd64"
NAME = "docker.io/library/multi:1"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with running_daemon() as daemon:
        yield daemon


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with our_registry(tmp_path, None) as host:
        yield host


@pytest.fixture
def index(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    """The digest of an index for two platforms, loaded as ``multi:1``."""
    both = {
        each: (images.busybox_layer(), images.layer({"arch": each.encode()}))
        for each in (OTHER, HERE)
    }
    content, digest = layout(NAME, both)
    archive = tmp_path / "multi.tar"
    archive.write_bytes(content)
    assert "Loaded image: multi:1" in good(daemon, "load", "-i", str(archive))
    yield digest
    good(daemon, "image", "prune", "-a", "-f")
    assert all_images(daemon, "?all=1") == []


def good(daemon: Daemon, *argv: str) -> str:
    done = daemon.knarr(*argv)
    assert done.returncode == 0, f"{argv}: {done.stdout} {done.stderr}"
    return str(done.stdout).strip()


def bad(daemon: Daemon, *argv: str) -> str:
    done = daemon.knarr(*argv)
    assert done.returncode != 0, f"{argv}: {done.stdout}"
    return str(done.stderr).strip()


def all_images(daemon: Daemon, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = daemon.ask("GET", f"/v1.51/images/json{query}")
    return rows


def platforms(daemon: Daemon, name: str) -> dict[str, bool]:
    """Whether each platform is here, by its architecture; of what has one."""
    told = daemon.ask("GET", f"/v1.51/images/{name}/json?manifests=1")["Manifests"]
    return {
        each["ImageData"]["Platform"]["architecture"]: each["Available"]
        for each in told
        if each["Kind"] == "image"
    }


def digest_in(text: str) -> str:
    return str(re.findall(r"digest: (sha256:[0-9a-f]{64})", text)[-1])


def arch_of(daemon: Daemon, *argv: str) -> str:
    return good(daemon, "image", "inspect", "-f", "{{.Architecture}}", *argv)


def test_a_whole_index_goes_and_comes_byte_for_byte(
    daemon: Daemon, registry: str, index: str
) -> None:
    first, second = f"{registry}/one/multi:1", f"{registry}/two/multi:2"
    good(daemon, "tag", "multi:1", first)
    assert digest_in(good(daemon, "push", first)) == index
    for name in ("multi:1", first):
        good(daemon, "rmi", name)
    assert all_images(daemon) == []

    assert f"Digest: {index}" in good(daemon, "pull", first)
    assert platforms(daemon, first) == {HERE: True, OTHER: False}
    good(daemon, "tag", first, second)
    partly = good(daemon, "push", second)
    assert f"Not all platforms of this image are here: only linux/{HERE}" in partly
    assert digest_in(partly) != index

    good(daemon, "pull", "--platform", f"linux/{OTHER}", first)
    assert platforms(daemon, first) == {HERE: True, OTHER: True}
    assert arch_of(daemon, first) == HERE
    assert "Image is up to date" in good(daemon, "pull", "--platform", f"linux/{OTHER}", first)
    good(daemon, "tag", first, second)
    assert digest_in(good(daemon, "push", second)) == index
    remote = json.loads(good(daemon, "manifest", "inspect", "--insecure", second))
    assert len(remote["manifests"]) == 4
    one = digest_in(good(daemon, "push", "--platform", f"linux/{OTHER}", second))
    assert one in {each["digest"] for each in remote["manifests"]}


def test_a_platform_is_looked_at_run_and_removed_for_itself(daemon: Daemon, index: str) -> None:
    (row,) = all_images(daemon, "?manifests=1")
    assert row["Descriptor"]["digest"] == index
    assert [each["Kind"] for each in row["Manifests"]].count("attestation") == 2
    assert arch_of(daemon, "multi:1") == HERE
    assert arch_of(daemon, "--platform", f"linux/{OTHER}", "multi:1") == OTHER
    assert good(daemon, "history", "-q", "--platform", f"linux/{OTHER}", "multi:1")
    tree = good(daemon, "image", "ls", "--tree")
    assert f"linux/{HERE}" in tree
    assert f"linux/{OTHER}" in tree
    for name in (HERE, OTHER):
        said = good(daemon, "run", "--rm", "--network", "none", "--platform", f"linux/{name}",
                    "multi:1", "cat", "/arch")  # fmt: skip
        assert said == name
    assert "s390x" in bad(daemon, "run", "--rm", "--pull", "never", "--platform", "linux/s390x",
                          "multi:1", "true")  # fmt: skip
    # Its name goes on to what is left; with the last platform it goes.
    assert "Deleted" in good(daemon, "rmi", "--platform", f"linux/{HERE}", "multi:1")
    assert arch_of(daemon, "multi:1") == OTHER
    assert platforms(daemon, "multi:1") == {HERE: False, OTHER: True}
    assert "Untagged: multi:1" in good(daemon, "rmi", "--platform", f"linux/{OTHER}", "multi:1")
    assert all_images(daemon, "?all=1") == []


def test_a_container_holds_its_platform(daemon: Daemon, index: str) -> None:
    good(daemon, "create", "--name", "held", "--platform", f"linux/{OTHER}", "multi:1")
    assert "must force" in bad(daemon, "rmi", "multi:1")
    refused = bad(daemon, "rmi", "--platform", f"linux/{OTHER}", "multi:1")
    assert "stopped container" in refused
    good(daemon, "image", "prune", "-a", "-f")
    assert platforms(daemon, "multi:1") == {HERE: True, OTHER: True}
    good(daemon, "rm", "held")
    good(daemon, "image", "prune", "-a", "-f")
    assert all_images(daemon, "?all=1") == []


def test_save_and_load_keep_the_platforms(daemon: Daemon, tmp_path: Path, index: str) -> None:
    whole, part = tmp_path / "whole.tar", tmp_path / "part.tar"
    good(daemon, "save", "-o", str(whole), "multi:1")
    good(daemon, "save", "--platform", f"linux/{OTHER}", "-o", str(part), "multi:1")
    good(daemon, "rmi", "multi:1")
    good(daemon, "load", "-i", str(whole))
    assert platforms(daemon, "multi:1") == {HERE: True, OTHER: True}
    good(daemon, "rmi", "multi:1")
    good(daemon, "load", "-i", str(part))
    assert arch_of(daemon, "multi:1") == OTHER
    good(daemon, "load", "--platform", f"linux/{HERE}", "-i", str(whole))
    assert platforms(daemon, "multi:1")[HERE]
    with tarfile.open(fileobj=io.BytesIO(whole.read_bytes())) as archive:
        file = archive.extractfile("index.json")
        assert file is not None
        assert json.load(file)["manifests"][0]["mediaType"].endswith("index.v1+json")


def test_fsck_finds_nothing_and_a_lost_index_is_forgotten(daemon: Daemon, index: str) -> None:
    clean = daemon.knarr("fsck")
    assert clean.returncode == 0, clean.stdout
    (daemon.data_root / "blobs" / "sha256" / index.removeprefix("sha256:")).unlink()
    assert daemon.knarr("fsck").returncode != 0
    assert "1 wrong, 1 repaired, 0 left" in daemon.knarr("fsck", "--repair").stdout
    assert daemon.knarr("fsck").returncode == 0
    assert arch_of(daemon, "multi:1") == HERE


def test_buildx_imagetools_shows_and_makes_indexes(
    daemon: Daemon, registry: str, tmp_path: Path, index: str
) -> None:
    first, second = f"{registry}/one/multi:1", f"{registry}/two/multi:2"
    good(daemon, "tag", "multi:1", first)
    good(daemon, "push", first)
    tools = ("buildx", "imagetools")
    told = good(daemon, *tools, "inspect", first)
    assert f"Digest:    {index}" in told
    assert f"Platform:  linux/{OTHER}" in told
    raw = daemon.knarr(*tools, "inspect", "--raw", first).stdout
    assert images.digest(raw.encode()) == index
    one = good(daemon, *tools, "inspect", "--format", "{{.Manifest.Digest}}", first)
    assert one == index

    facts = tmp_path / "facts.json"
    good(daemon, *tools, "create", "--annotation", "index:note=ahoy", "--platform",
         f"linux/{OTHER}", "--metadata-file", str(facts), "-t", second, first)  # fmt: skip
    made = json.loads(good(daemon, *tools, "inspect", "--raw", second))
    assert made["annotations"] == {"note": "ahoy"}
    assert len(made["manifests"]) == 2  # the platform, and what attests to it
    assert json.loads(facts.read_text())["containerimage.digest"] == good(
        daemon, *tools, "inspect", "--format", "{{.Manifest.Digest}}", second
    )
    good(daemon, *tools, "create", "--append", "-t", second, first)
    assert len(json.loads(good(daemon, *tools, "inspect", "--raw", second))["manifests"]) == 4
    dry = good(daemon, *tools, "create", "--dry-run", first)
    assert len(json.loads(dry)["manifests"]) == 4
    assert "no sources specified" in bad(daemon, *tools, "create", "-t", second)
    assert "imagetools" in good(daemon, "buildx", "--help")
    assert "inspect" in good(daemon, *tools, "--help")


def test_templates_print_what_was_looked_into(daemon: Daemon, index: str) -> None:
    assert good(daemon, "image", "show", "--format", "{{.Platform}}", "multi:1") == f"linux/{HERE}"
    assert json.loads(good(daemon, "image", "show", "--format", "json", "multi:1"))["Steps"]
    same = good(daemon, "image", "diff", "--format", "{{.SharedLayers}} {{len .Files}}",
                "multi:1", "multi:1")  # fmt: skip
    assert same == "2 0"
    assert good(daemon, "fsck", "--format", "{{len .Problems}}") == "0"
    assert "failed to parse template" in bad(daemon, "fsck", "--format", "{{")


def test_a_container_of_any_platform_uses_the_image(daemon: Daemon, index: str) -> None:
    good(daemon, "create", "--name", "used", "--platform", f"linux/{OTHER}", "multi:1")
    usage = daemon.ask("GET", "/v1.51/system/df?type=image")
    (row,) = usage["Images"]
    assert row["Containers"] == 1
    assert row["SharedSize"] == 0  # busybox is in both platforms, and in no other image
    one = daemon.ask("GET", "/v1.51/images/multi:1/json")["Size"]
    assert one < row["Size"] < 2 * one
    good(daemon, "rm", "used")
