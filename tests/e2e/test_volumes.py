"""What knarr's command line does with volumes beyond Docker's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")


@pytest.fixture
def volume(daemon: Daemon) -> Iterator[str]:
    """One with a file in it; all volumes are removed afterwards."""
    daemon.knarr("volume", "create", "kn-vol").check_returncode()
    in_box(daemon, "kn-vol", "echo kept > /d/file; ln -s file /d/link; chown 7:8 /d/file")
    yield "kn-vol"
    names = daemon.knarr("volume", "ls", "-q").stdout.split()
    daemon.knarr("volume", "rm", "-f", *names).check_returncode()


def in_box(daemon: Daemon, volume: str, script: str) -> str:
    done = daemon.knarr("run", "--rm", "-v", f"{volume}:/d", "busybox", "sh", "-c", script)
    done.check_returncode()
    return done.stdout


def looks(daemon: Daemon, volume: str) -> str:
    return in_box(daemon, volume, "stat -c '%n %u %g %F' /d/*; cat /d/link")


def test_a_copy_has_the_data_and_is_a_volume_of_its_own(daemon: Daemon, volume: str) -> None:
    assert daemon.knarr("volume", "cp", volume, "kn-copy").stdout == "kn-copy\n"
    assert looks(daemon, "kn-copy") == looks(daemon, volume)
    in_box(daemon, "kn-copy", "echo changed > /d/file")
    assert in_box(daemon, volume, "cat /d/file") == "kept\n"
    again = daemon.knarr("volume", "cp", volume, "kn-copy")
    assert (again.returncode, "volume kn-copy exists already" in again.stderr) == (1, True)


def test_a_volume_moves_to_another_name_unless_a_container_has_it(
    daemon: Daemon, volume: str
) -> None:
    before = looks(daemon, volume)
    daemon.knarr("create", "--name", "kn-user", "-v", f"{volume}:/d", "busybox").check_returncode()
    refused = daemon.knarr("volume", "mv", volume, "kn-moved")
    assert (refused.returncode, "volume is in use" in refused.stderr) == (1, True)
    daemon.knarr("rm", "kn-user").check_returncode()
    assert daemon.knarr("volume", "mv", volume, "kn-moved").stdout == "kn-moved\n"
    assert daemon.knarr("volume", "ls", "-q").stdout.split() == ["kn-moved"]
    assert looks(daemon, "kn-moved") == before


def test_a_volume_goes_out_as_an_archive_and_comes_in_under_any_name(
    daemon: Daemon, volume: str, tmp_path: Path
) -> None:
    archive = tmp_path / "data.tar"
    daemon.knarr("volume", "export", "-o", str(archive), volume).check_returncode()
    assert daemon.knarr("volume", "import", "kn-in", str(archive)).stdout == "kn-in\n"
    assert looks(daemon, "kn-in") == looks(daemon, volume)
    twice = daemon.knarr("volume", "import", "kn-in", str(archive))
    assert (twice.returncode, "has data already" in twice.stderr) == (1, True)
    archive.write_bytes(archive.read_bytes()[:700])
    broken = daemon.knarr("volume", "import", "kn-broken", str(archive))
    assert broken.returncode == 1
    assert "kn-broken" not in daemon.knarr("volume", "ls", "-q").stdout


def test_sizes_and_users_of_volumes_are_told(daemon: Daemon, volume: str) -> None:
    in_box(daemon, volume, "dd if=/dev/zero of=/d/big bs=1M count=3 2>/dev/null")
    daemon.knarr("create", "--name", "kn-user", "-v", f"{volume}:/d", "busybox").check_returncode()
    told = daemon.knarr("system", "df", "-v", "--format", "{{json .Volumes}}").stdout
    daemon.knarr("rm", "kn-user").check_returncode()
    assert '"Links":"1"' in told
    assert '"Size":"3.1' in told
