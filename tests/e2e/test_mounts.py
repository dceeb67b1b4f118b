"""Mounts by the real docker CLI: what Docker 20.10 does not know, so that there is no comparing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")


def done(daemon: Daemon, *words: str) -> str:
    result = daemon.docker(*words)
    assert result.returncode == 0, result.stderr
    return str(result.stdout)


def run(daemon: Daemon, *words: str) -> str:
    return done(daemon, "run", "--rm", "--network", "none", *words)


@pytest.fixture
def volume(daemon: Daemon) -> Iterator[str]:
    done(daemon, "volume", "create", "knmounts")
    yield "knmounts"
    done(daemon, "volume", "rm", "knmounts")


def test_an_image_is_mounted_read_only(daemon: Daemon) -> None:
    mount = ("--mount", "type=image,source=busybox,target=/img")
    assert "busybox" in run(daemon, *mount, "busybox", "ls", "/img/bin")
    refused = daemon.docker(
        "run", "--rm", "--network", "none", *mount, "busybox", "touch", "/img/new"
    )
    assert refused.returncode == 1
    assert "Read-only file system" in refused.stderr


def test_a_part_of_an_image_is_mounted(daemon: Daemon) -> None:
    mount = "type=image,source=busybox,target=/www,image-subpath=var/www"
    assert run(daemon, "--mount", mount, "busybox", "ls", "/www") == "index.html\n"
    missing = daemon.docker(
        "run", "--rm", "--network", "none",
        "--mount", "type=image,source=busybox,target=/x,image-subpath=no/such", "busybox", "true",
    )  # fmt: skip
    assert missing.returncode != 0
    assert "cannot access path no/such in image busybox" in missing.stderr


def test_nothing_of_an_image_mount_stays_behind(daemon: Daemon) -> None:
    run(daemon, "--mount", "type=image,source=busybox,target=/img", "busybox", "true")
    left = daemon.run_root / "images"
    assert not left.exists() or list(left.iterdir()) == []


def test_a_part_of_a_volume_is_mounted(daemon: Daemon, volume: str) -> None:
    run(daemon, "-v", f"{volume}:/v", "busybox", "sh", "-c", "mkdir /v/sub; echo x > /v/sub/f")
    mount = f"type=volume,source={volume},target=/s,volume-subpath=sub"
    assert run(daemon, "--mount", mount, "busybox", "cat", "/s/f") == "x\n"


def test_a_volumes_part_that_is_a_link_outwards_leads_nowhere(daemon: Daemon, volume: str) -> None:
    run(daemon, "-v", f"{volume}:/v", "busybox", "ln", "-s", "/etc", "/v/door")
    refused = daemon.docker(
        "run", "--rm", "--network", "none",
        "--mount", f"type=volume,source={volume},target=/s,volume-subpath=door", "busybox", "true",
    )  # fmt: skip
    assert refused.returncode != 0
    assert "cannot access path door in volume" in refused.stderr


def test_mounts_inside_a_read_only_bind_are_read_only_too(daemon: Daemon) -> None:
    script = "touch /hostdev/shm/knarr-test || echo 1 > /hostdev/shm/knarr-test"
    refused = daemon.docker(
        "run", "--rm", "--network", "none", "-v", "/dev:/hostdev:ro", "busybox", "sh", "-c", script
    )
    assert refused.returncode == 1
    assert "Read-only file system" in refused.stderr


def test_files_of_a_bind_belong_to_whom_the_folder_belongs(daemon: Daemon, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "old").write_text("x")
    for path in (folder, folder / "old"):
        os.chown(path, 1234, 1235)
    script = "stat -c '%u:%g' /data /data/old; echo y > /data/new; stat -c '%u:%g' /data/new"
    assert run(daemon, "-v", f"{folder}:/data:U", "busybox", "sh", "-c", script) == "0:0\n" * 3
    facts = (folder / "new").stat()
    assert (facts.st_uid, facts.st_gid) == (1234, 1235)
    words = ("-u", "5:6", "-v", f"{folder}:/data:U", "busybox", "sh", "-c", script)
    assert run(daemon, *words) == "5:6\n" * 3


@pytest.mark.needs("runc")
def test_a_runtime_that_cannot_exchange_owners_says_so(daemon: Daemon, tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)
    refused = daemon.docker(
        "run", "--rm", "--network", "none", "--runtime", "runc", "-v", f"{tmp_path}:/w:U",
        "busybox", "true",
    )  # fmt: skip
    assert refused.returncode == 125
    assert "mounts with idmap need crun" in refused.stderr


def test_a_volume_without_a_name_goes_with_the_last_who_has_it(daemon: Daemon) -> None:
    made = daemon.docker("create", "--name", "kn-lends", "-v", "/kept", "busybox", "true")
    taken = daemon.docker("create", "--volumes-from", "kn-lends", "busybox", "true")
    asked = daemon.docker("inspect", "-f", "{{(index .Mounts 0).Name}}", "kn-lends")
    volume = asked.stdout.strip()
    assert daemon.docker("rm", "-v", made.stdout.strip()).returncode == 0
    assert daemon.docker("volume", "inspect", volume).returncode == 0
    assert daemon.docker("rm", "-v", taken.stdout.strip()).returncode == 0
    assert daemon.docker("volume", "inspect", volume).returncode == 1
