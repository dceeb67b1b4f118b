"""Containers whose root is not the host's, on the real docker CLI."""

import os
import signal
import tarfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from subprocess import run

import pytest

from support.daemon import Daemon, running_daemon

pytestmark = pytest.mark.needs("namespaces", "overlay", "docker")

FIRST = 700_000
# The ranges are the daemon's alone: nothing is written to the machine's own files.
WITH_RANGES = 'for f in uid gid; do mount --bind "$0" /etc/sub$f || exit; done; exec "$@"'


@pytest.fixture(scope="module")
def mapping(busybox_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    ranges = tmp_path_factory.mktemp("ranges") / "sub"
    ranges.write_text(f"dockremap:{FIRST}:65536\n")
    before = ("unshare", "--mount", "--", "sh", "-c", WITH_RANGES, str(ranges))
    with running_daemon("--userns-remap", "default", before=before) as daemon:
        loaded = daemon.docker("load", "-i", str(busybox_archive))
        assert loaded.returncode == 0, loaded.stderr
        yield daemon


def said(daemon: Daemon, *argv: str) -> str:
    result = daemon.docker(*argv)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


def in_container(daemon: Daemon, *argv: str) -> str:
    return said(daemon, "run", "--rm", *argv)


def owners_in_tar(daemon: Daemon, container: str, path: str) -> dict[str, tuple[int, int]]:
    archive = run(
        ("docker", "cp", f"{container}:{path}", "-"),
        env=daemon.environment, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        return {member.name: (member.uid, member.gid) for member in tar}


def test_root_inside_is_nobody_outside_and_files_look_as_ever(mapping: Daemon) -> None:
    script = (
        "cat /proc/self/uid_map; touch /own /other; chown 5:6 /other;"
        " stat -c '%n %u:%g' / /bin/busybox /etc/hosts /etc/resolv.conf /own /other /dev/shm;"
        " echo heard >/dev/stderr; ping -c 1 127.0.0.1 >/dev/null && echo pinged"
    )
    lines = in_container(mapping, "busybox", "sh", "-c", script).splitlines()
    assert lines[0].split() == ["0", str(FIRST), "65536"]
    assert lines[1:] == [
        "/ 0:0", "/bin/busybox 0:0", "/etc/hosts 0:0", "/etc/resolv.conf 0:0", "/own 0:0",
        "/other 5:6", "/dev/shm 0:0", "pinged",
    ]  # fmt: skip
    options = said(mapping, "info", "--format", "{{json .SecurityOptions}}")
    assert '"name=userns"' in options


def test_the_host_sees_its_processes_as_those_of_the_range(mapping: Daemon) -> None:
    name = said(mapping, "run", "-d", "-u", "7", "busybox", "sleep", "1000").strip()
    pid = said(mapping, "inspect", "-f", "{{.State.Pid}}", name).strip()
    assert Path(f"/proc/{pid}").stat().st_uid == FIRST + 7
    assert said(mapping, "top", name).splitlines()[1].split()[0] == str(FIRST + 7)
    told = said(mapping, "exec", "-u", "9", name, "sh", "-c", "echo x >/dev/stdout; id -u")
    assert told.split() == ["x", "9"]
    said(mapping, "rm", "-f", name)


@pytest.mark.needs("mkfs.ext4")
def test_a_disk_of_its_own_has_the_same_owners(mapping: Daemon) -> None:
    script = "echo x >/own; chown 5:6 /own; stat -c '%n %u:%g' / /own"
    words = ("--name", "bounded", "--storage-opt", "size=16m", "busybox", "sh", "-c", script)
    assert said(mapping, "run", *words).splitlines() == ["/ 0:0", "/own 5:6"]
    assert owners_in_tar(mapping, "bounded", "/own") == {"own": (5, 6)}
    said(mapping, "rm", "bounded")


def test_a_root_only_file_of_the_host_is_out_of_reach(mapping: Daemon, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "secret").write_text("the host's\n")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "given").write_text("")
    (tmp_path / "given").chmod(0o600)
    run(("chown", f"{FIRST}:{FIRST}", str(tmp_path / "given")), check=True)
    script = "cat /host/secret; echo no; touch /host/new; echo mine >/host/given"
    words = ("-v", f"{tmp_path}:/host", "busybox", "sh", "-c", script)
    result = mapping.docker("run", "--rm", *words)
    assert result.stdout == "no\n"
    assert result.stderr.count("Permission denied") == 2
    assert (tmp_path / "given").read_text() == "mine\n"
    assert "the host's" in in_container(mapping, "--userns=host", *words[:-1], "cat /host/secret")


def test_a_volume_is_the_same_for_mapped_and_other_containers(mapping: Daemon) -> None:
    in_container(
        mapping, "-v", "shared:/etc", "busybox", "sh", "-c", "touch /etc/a; chown 3 /etc/a"
    )
    look = (
        "-v",
        "shared:/etc",
        "busybox",
        "stat",
        "-c",
        "%n %u:%g",
        "/etc",
        "/etc/a",
        "/etc/passwd",
    )
    shown = ["/etc 0:0", "/etc/a 3:0", "/etc/passwd 0:0"]
    assert in_container(mapping, *look).splitlines() == shown
    assert in_container(mapping, "--userns=host", *look).splitlines() == shown
    said(mapping, "volume", "rm", "shared")


def test_what_is_copied_in_and_out_belongs_to_who_it_belongs_to_inside(
    mapping: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in\n")
    name = said(
        mapping, "run", "-d", "-v", "copied:/data", "busybox",
        "sh", "-c", "touch /u /data/u; chown 4:5 /u /data/u; touch /ready; sleep 1000",
    ).strip()  # fmt: skip
    script = "until [ -e /ready ]; do sleep 0.1; done"
    said(mapping, "exec", name, "sh", "-c", script)
    said(mapping, "cp", str(tmp_path / "file"), f"{name}:/file")
    said(mapping, "cp", str(tmp_path / "file"), f"{name}:/data/file")
    look = ("stat", "-c", "%n %u:%g", "/file", "/data/file")
    assert said(mapping, "exec", name, *look).splitlines() == ["/file 0:0", "/data/file 0:0"]
    assert owners_in_tar(mapping, name, "/u") == {"u": (4, 5)}
    assert owners_in_tar(mapping, name, "/data")["data/u"] == (4, 5)
    said(mapping, "stop", "-t", "0", name)
    said(mapping, "cp", str(tmp_path / "file"), f"{name}:/late")
    assert owners_in_tar(mapping, name, "/u") == {"u": (4, 5)}
    assert owners_in_tar(mapping, name, "/data")["data/u"] == (4, 5)
    said(mapping, "commit", name, "kept")
    everything = ("stat", "-c", "%n %u:%g", "/file", "/late", "/u")
    shown = ["/file 0:0", "/late 0:0", "/u 4:5"]
    assert in_container(mapping, "kept", *everything).splitlines() == shown
    assert in_container(mapping, "--userns=host", "kept", *everything).splitlines() == shown
    said(mapping, "rm", "-f", name)


def test_build_steps_are_mapped_too(mapping: Daemon, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nWORKDIR /made/here\nCOPY --chown=7:8 Dockerfile /copied\n"
        "RUN cat /proc/self/uid_map >/map; touch own; stat -c '%u:%g' . own /copied >>/map\n"
    )
    said(mapping, "build", "-t", "built", str(tmp_path))
    lines = in_container(mapping, "--userns=host", "built", "cat", "/map").splitlines()
    assert lines[0].split() == ["0", str(FIRST), "65536"]
    assert lines[1:] == ["0:0", "0:0", "7:8"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--privileged",), "privileged mode is incompatible with user namespaces."),
        (("--network=host",), "cannot share the host's network namespace when user namespaces"),
        (("--pid=host",), "cannot share the host PID namespace when user namespaces"),
    ],
)
def test_what_needs_the_hosts_root_is_refused_but_on_request(
    mapping: Daemon, flags: tuple[str, ...], words: str
) -> None:
    refused = mapping.docker("run", "--rm", *flags, "busybox", "true")
    assert refused.returncode == 125
    assert words in refused.stderr
    in_container(mapping, *flags, "--userns=host", "busybox", "true")


def test_containers_go_on_with_their_users_when_the_daemon_is_killed(mapping: Daemon) -> None:
    name = said(mapping, "run", "-d", "busybox", "sleep", "1000").strip()
    assert mapping.process is not None
    pid = int(said(mapping, "inspect", "-f", "{{.State.Pid}}", name))
    # Started anew by who shares its mount namespace; else it would not see its own mounts.
    keeper = int((mapping.run_root / "keeper.lock").read_text())
    before, mapping.before = mapping.before, ("nsenter", f"--mount=/proc/{keeper}/ns/mnt", "--")
    mapping.kill()
    mapping.start()
    mapping.before = before
    assert Path(f"/proc/{pid}").stat().st_uid == FIRST
    assert said(mapping, "exec", name, "sh", "-c", "echo x >/dev/stdout; id -u").split() == [
        "x",
        "0",
    ]
    said(mapping, "restart", "-t", "0", name)
    assert said(mapping, "exec", name, "id", "-u") == "0\n"
    said(mapping, "rm", "-f", name)


def test_who_joins_a_containers_network_rules_in_it_though_another_keeper_made_it(
    mapping: Daemon,
) -> None:
    name = said(mapping, "run", "-d", "busybox", "sleep", "1000").strip()
    os.kill(int((mapping.run_root / "keeper.lock").read_text()), signal.SIGKILL)
    for _ in range(300):
        if mapping.docker("exec", name, "true").returncode == 0:  # there is a new one
            break
        time.sleep(0.1)
    joined = in_container(
        mapping, "--network", f"container:{name}", "busybox",
        "sh", "-c", "ping -c 1 127.0.0.1 >/dev/null && cat /proc/self/uid_map",
    )  # fmt: skip
    assert joined.split() == ["0", str(FIRST), "65536"]
    assert said(mapping, "exec", name, "id", "-u") == "0\n"
    said(mapping, "rm", "-f", name)
