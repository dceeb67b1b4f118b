"""The store's upkeep from the command line, on an engine of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import images
from support.daemon import Daemon, running_daemon

pytestmark = pytest.mark.needs("docker", "namespaces", "overlay", "busybox", "erofs")


@pytest.fixture(scope="module")
def daemon(busybox_archive: Path) -> Iterator[Daemon]:
    with running_daemon() as daemon:
        assert daemon.knarr("load", "-i", str(busybox_archive)).returncode == 0
        yield daemon


def test_fsck_tells_what_is_wrong_and_repairs_it_by_its_exit_code(daemon: Daemon) -> None:
    well = daemon.knarr("fsck")
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.endswith("read: all is well\n")
    stray = images.digest(b"stray").removeprefix("sha256:")
    (daemon.data_root / "blobs" / "sha256" / stray).write_bytes(b"stray")
    found = daemon.knarr("fsck")
    assert found.returncode == 4
    assert found.stdout.splitlines()[0] == f"blob sha256:{stray}: a file that no row knows"
    assert found.stdout.endswith("Repair with: knarr fsck --repair\n")
    repaired = daemon.knarr("fsck", "--repair")
    assert repaired.returncode == 1
    assert "1 wrong, 1 repaired, 0 left" in repaired.stdout
    report = json.loads(daemon.knarr("fsck", "--format", "json").stdout)
    assert report["Problems"] == []
    assert report["ReadBytes"] > 0


def test_layers_are_converted_under_a_running_container(daemon: Daemon) -> None:
    assert daemon.knarr("run", "-d", "--name", "on", "busybox", "sleep", "1000").returncode == 0
    there = daemon.knarr("system", "convert-layers", "--to", "unpacked")
    assert (there.returncode, there.stdout) == (0, "1 layer converted to unpacked\n")
    assert daemon.knarr("exec", "on", "cat", "/etc/group").stdout.startswith("root:")
    assert daemon.knarr("run", "--rm", "busybox", "true").returncode == 0
    assert daemon.knarr("run", "-d", "--name", "too", "busybox", "sleep", "1000").returncode == 0
    back = daemon.knarr("system", "convert-layers")
    assert back.returncode == 1
    assert "runs on it: stop it first" in back.stderr
    daemon.knarr("rm", "-f", "on", "too")
    back = daemon.knarr("system", "convert-layers", "--to", "tar+erofs")
    assert (back.returncode, back.stdout) == (0, "1 layer converted to tar+erofs\n")
    assert "Snapshotter: tar+erofs" in daemon.knarr("info").stdout
    wrong = daemon.knarr("system", "convert-layers", "--to", "nosuch")
    assert wrong.returncode == 1
    assert "no snapshotter 'nosuch' on this machine" in wrong.stderr
