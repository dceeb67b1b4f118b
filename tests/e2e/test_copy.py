"""Files in and out by the real docker CLI, of containers that run and that do not."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")


@pytest.fixture
def container(daemon: Daemon) -> Iterator[str]:
    """A running container with a volume at /data."""
    made = daemon.docker(
        "run", "-d", "--network", "none", "-v", "kncopy:/data", "busybox", "sleep", "300"
    )
    assert made.returncode == 0, made.stderr
    yield made.stdout.strip()
    daemon.docker("rm", "-f", made.stdout.strip())
    daemon.docker("volume", "rm", "kncopy")


def done(daemon: Daemon, *words: str) -> str:
    result = daemon.docker(*words)
    assert result.returncode == 0, result.stderr
    return str(result.stdout)


def test_files_go_in_and_out_of_a_running_container(
    daemon: Daemon, container: str, tmp_path: Path
) -> None:
    (tmp_path / "note").write_text("ahoy\n")
    done(daemon, "cp", str(tmp_path / "note"), f"{container}:/tmp/note")
    assert done(daemon, "exec", container, "cat", "/tmp/note") == "ahoy\n"
    done(daemon, "exec", container, "sh", "-c", "mkdir -p /tmp/d; echo x > /tmp/d/f")
    done(daemon, "cp", f"{container}:/tmp/d", str(tmp_path))
    assert (tmp_path / "d" / "f").read_text() == "x\n"
    done(daemon, "cp", f"{container}:/tmp/d/.", str(tmp_path / "e"))
    assert (tmp_path / "e" / "f").read_text() == "x\n"


@pytest.mark.parametrize("running", [True, False])
def test_volumes_are_reached_through_the_container(
    daemon: Daemon, container: str, tmp_path: Path, running: bool
) -> None:
    if not running:
        done(daemon, "stop", "-t", "0", container)
    (tmp_path / "note").write_text("ahoy\n")
    done(daemon, "cp", str(tmp_path / "note"), f"{container}:/data/")
    done(daemon, "cp", f"{container}:/data/note", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "ahoy\n"
    found = done(
        daemon, "run", "--rm", "--network", "none", "-v", "kncopy:/v", "busybox", "cat", "/v/note"
    )
    assert found == "ahoy\n"


def test_what_is_not_there_is_said(daemon: Daemon, container: str, tmp_path: Path) -> None:
    result = daemon.docker("cp", f"{container}:/nothing", str(tmp_path))
    assert result.returncode == 1
    assert f"Could not find the file /nothing in container {container}" in result.stderr


def test_a_link_to_the_host_leads_into_the_container(
    daemon: Daemon, container: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    done(daemon, "exec", container, "ln", "-s", str(tmp_path), "/tmp/door")
    result = daemon.docker("cp", f"{container}:/tmp/door/secret", str(tmp_path / "stolen"))
    assert result.returncode == 1
    assert not (tmp_path / "stolen").exists()


def test_what_changed_is_shown_and_exported(daemon: Daemon, container: str, tmp_path: Path) -> None:
    done(
        daemon, "exec", container, "sh", "-c", "echo x > /tmp/new; rm /etc/group; echo y > /data/f"
    )
    assert set(done(daemon, "diff", container).split("\n")) >= {"A /tmp/new", "D /etc/group"}
    done(daemon, "export", "-o", str(tmp_path / "root.tar"), container)
    with tarfile.open(tmp_path / "root.tar") as tar:
        names = set(tar.getnames())
    assert "tmp/new" in names
    assert not {"etc/group", "data/f"} & names


def content(daemon: Daemon, container: str, path: str) -> str:
    packed = subprocess.run(
        ["docker", "cp", f"{container}:{path}", "-"],
        env=daemon.environment,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        [member] = tar.getmembers()
        file = tar.extractfile(member)
        assert file is not None
        return file.read().decode()


@pytest.mark.parametrize("running", [True, False])
def test_the_engines_own_files_are_read_and_never_replaced(
    daemon: Daemon, tmp_path: Path, running: bool
) -> None:
    words = ("run", "-d", "--network", "none", "--hostname", "boxy", "-v", f"{tmp_path}/f:/f")
    (tmp_path / "f").write_text("of the host\n")
    (tmp_path / "g").write_text("of the client\n")
    name = done(daemon, *words, "busybox", "sleep", "1000").strip()
    try:
        if not running:
            done(daemon, "kill", name)
        assert content(daemon, name, "/etc/hostname") == "boxy\n"
        assert "localhost" in content(daemon, name, "/etc/hosts")
        for place in ("/etc/hosts", "/f"):
            refused = daemon.docker("cp", str(tmp_path / "g"), f"{name}:{place}")
            assert refused.returncode == 1
            assert "device or resource busy: something is mounted there" in refused.stderr
        assert "localhost" in content(daemon, name, "/etc/hosts")
        assert content(daemon, name, "/f") == "of the host\n"
    finally:
        daemon.docker("rm", "-f", name)
    assert (tmp_path / "f").read_text() == "of the host\n"


def test_programs_that_read_mtab_find_the_mounts(daemon: Daemon) -> None:
    words = ("run", "--rm", "--network", "none", "busybox", "readlink", "/etc/mtab")
    assert done(daemon, *words) == "/proc/mounts\n"
