"""What a container may do, asked from inside: of ours and, where it is installed, of Docker's."""

import re
from pathlib import Path

import pytest

from knarr.container.machine import Machine
from knarr.spec.docker.container import ContainerConfig, Ulimit
from support.dockerd import Docker

from .conftest import Contained

pytestmark = pytest.mark.needs("root", "runc", "busybox")

STATUS = "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status"
MOUNTS = "cut -d' ' -f5,6 /proc/self/mountinfo"
HIDDEN = "cat /proc/kcore /proc/timer_list /proc/keys 2>/dev/null | wc -c; ls /proc/acpi | wc -l"
DEVICES = "cd /dev; for f in *; do [ -c $f ] && [ ! -L $f ] && stat -c '%n %t:%T %a %u:%g' $f; done"
TRIES = """
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi; }
try mount mount -t tmpfs x /tmp
try unshare unshare -m true
try hostname hostname other
try sysctl sh -c 'echo 1 > /proc/sys/kernel/core_uses_pid'
try mknod mknod /tmp/disk b 254 0
try chown chown 5:5 /tmp
try chroot chroot / true
try disk sh -c 'mknod /tmp/vda b 254 0 && dd if=/tmp/vda of=/dev/null bs=1 count=1'
try kmsg sh -c 'mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg'
try zero sh -c 'mknod /tmp/zero c 1 5 && head -c 1 /tmp/zero'
try clock date -s 2001-01-01
cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range
"""
SCRIPT = f"{STATUS}; echo --; {HIDDEN}; echo --; {DEVICES}; echo --; {TRIES}"


def docker_run(docker: Docker, script: str, *options: str) -> str:
    return docker.text("run", "--rm", "--network", "none", *options, "busybox", "sh", "-c", script)


def mounts(text: str) -> dict[str, set[str]]:
    """Mount points with their rights; cgroup hierarchies and Docker's own files left out."""
    found = dict(line.split(" ") for line in text.splitlines())
    own = ("/etc/", "/sys/fs/cgroup/", "/dev/console")
    return {
        place: set(options.split(",")) - {"relatime", "inode64"}
        for place, options in found.items()
        if not place.startswith(own)
    }


@pytest.mark.needs("docker", "dockerd")
@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, ()),
        ({"cap_drop": ("ALL",), "cap_add": ("CHOWN",)}, ("--cap-drop=ALL", "--cap-add=CHOWN")),
        ({"cap_add": ("SYS_ADMIN",)}, ("--cap-add=SYS_ADMIN",)),
        ({"security_opt": ("no-new-privileges",)}, ("--security-opt=no-new-privileges",)),
        ({"security_opt": ("seccomp=unconfined",)}, ("--security-opt=seccomp=unconfined",)),
    ],
)
def test_a_container_may_do_what_it_may_under_docker(
    contained: Contained,
    docker: Docker,
    settings: dict[str, tuple[str, ...]],
    options: tuple[str, ...],
) -> None:
    assert contained(SCRIPT, **settings) == docker_run(docker, SCRIPT, *options)


@pytest.mark.needs("docker", "dockerd")
def test_mounts_are_those_under_docker_or_stricter(contained: Contained, docker: Docker) -> None:
    ours, theirs = mounts(contained(MOUNTS)), mounts(docker_run(docker, MOUNTS))
    assert {place: ours.get(place) for place in theirs} == theirs
    assert set(ours) - set(theirs) <= {"/proc/interrupts", "/sys/devices/virtual/powercap"}


@pytest.mark.needs("docker", "dockerd")
def test_a_read_only_root_is_as_under_docker(contained: Contained, docker: Docker) -> None:
    ours = mounts(contained(MOUNTS, readonly_rootfs=True))
    theirs = mounts(docker_run(docker, MOUNTS, "--read-only"))
    assert {place: ours.get(place) for place in theirs} == theirs


def test_a_privileged_container_has_what_this_process_has(
    contained: Contained, machine: Machine
) -> None:
    """Docker 20.10 is no measure: it wants capabilities that a daemon in a container lacks."""
    found = contained(f"{STATUS}; echo --; {MOUNTS}; echo --; ls /dev", privileged=True)
    status, rights, devices = found.split("--\n")
    held = int(re.search(r"CapEff:\s(\w+)", status)[1], 16)  # type: ignore[index]
    assert held.bit_count() == len(machine.capabilities)
    assert "Seccomp:\t0" in status
    by_place = mounts(rights)
    assert "rw" in by_place["/sys"]
    assert not {"/proc/sys", "/proc/timer_list"} & set(by_place)
    assert {path.name for path in Path("/dev").iterdir() if path.is_block_device()} <= set(
        devices.split()
    )


def test_the_default_container_has_fourteen_capabilities_and_a_filter(
    contained: Contained,
) -> None:
    status = contained(STATUS)
    assert re.search(r"^CapEff:\s00000000a80425fb$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s2$", status, re.MULTILINE)


def test_limits_hold(contained: Contained) -> None:
    found = contained(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max;"
        " ulimit -n; cat /proc/self/oom_score_adj; df -k /dev/shm | tail -1 | awk '{print $2}'",
        memory=32 << 20,
        pids_limit=50,
        ulimits=(Ulimit(name="nofile", soft=100, hard=200),),
        oom_score_adj=7,
        shm_size=1 << 20,
    )
    assert found.split() == [str(32 << 20), "50", "100", "7", "1024"]


def test_names_of_host_and_domain(contained: Contained) -> None:
    config = ContainerConfig(domainname="example.org")
    assert contained("hostname; cat /proc/sys/kernel/domainname", config).split() == [
        "box",
        "example.org",
    ]


def test_an_init_is_number_one(contained: Contained) -> None:
    assert contained("cat /proc/1/comm", init=True).strip() == "docker-init"
