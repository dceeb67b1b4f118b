"""Each field of ``POST /containers/create``: what it does to the container, or how it is refused.

What cannot disturb each other is sent together, so a few containers show all the rows; mounts and
networks are in files of their own beside this one.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from knarr.spec.docker.container import ContainerCreate
from support.cgroups import remove_group
from support.daemon import Daemon
from support.effects import Box, Boxes, Json, Refused, Row, refused, without_rows
from support.waiting import until

pytestmark = pytest.mark.needs(
    "root", "namespaces", "overlay", "docker", "busybox", "crun", "mkfs.ext4"
)

SECOND = 10**9
FRACTION, MILLISECOND = SECOND // 20, SECOND // 1000
ELSEWHERE = ("HostConfig.Mounts[].", "NetworkingConfig.")  # files of their own
GROUP = f"/kn-fields-{os.getpid()}"
DISK = next((f"/dev/{each}" for each in ("vda", "sda", "nvme0n1", "loop0")
             if Path("/sys/block", each).exists()), "/dev/loop0")  # fmt: skip
NUMBERS = f"{os.major(os.stat(DISK).st_rdev)}:{os.minor(os.stat(DISK).st_rdev)}"
REAL_TIME = Path("/proc/sys/kernel/sched_rt_runtime_us").exists() and any(
    Path("/sys/fs/cgroup/cpu").glob("cpu.rt_runtime_us")
)


def told(*path: str) -> Callable[[Box], Any]:
    """What inspect says under these keys."""

    def seen(box: Box) -> Any:
        found: Any = box.told
        for key in path:
            found = found.get(key)
        return found

    return seen


def group(name: str) -> Callable[[Box], object]:
    return lambda box: box.group(name)


def inside(script: str) -> Callable[[Box], object]:
    return lambda box: box.inside(script)


def file(name: str) -> Callable[[Box], object]:
    return lambda box: box.proc(f"root{name}").strip()


def capabilities(box: Box) -> set[int]:
    bits = int(box.status("CapEff"), 16)
    return {number for number in range(64) if bits >> number & 1}


def health(box: Box, enough: Callable[[Json], bool]) -> Json:
    """The container's health, once it is as it must become."""

    def now() -> Json | None:
        found: Json = box.told["State"]["Health"]
        return found if enough(found) else None

    return until(now, say=lambda: str(box.told["State"])) or {}


def mapped_device(box: Box) -> bool:
    """Under its new name it is the host's device, and may be read alone."""
    here, there = os.stat("/dev/kmsg"), os.stat(f"/proc/{box.pid}/root/dev/said")
    return here.st_rdev == there.st_rdev and "c 1:11 r" in box.group("devices.list").split("\n")


def weighed(box: Box) -> bool:
    """Where the kernel has weights they are the group's; else that is said, and nothing is done."""
    if "Weight discarded" in box.warnings:
        return "Weight-device discarded" in box.warnings
    return "300" in box.group("blkio.bfq.weight") and NUMBERS in box.group(
        "blkio.bfq.weight_device"
    )


def real_time(box: Box) -> bool:
    """A group gets of it what its parent has; where that is nothing, the start says so."""
    if box.failure:
        return "cpu.rt_runtime_us" in box.failure
    return box.group("cpu.rt_runtime_us") == "1000"


def timed_out(box: Box) -> object:
    """What five checks came to; of their processes none is left but for the last one's or two."""
    now = health(box, lambda now: len(now["Log"] or ()) == 5)
    assert len(box.group("cgroup.procs").split()) <= 4
    return now["Status"], now["FailingStreak"], now["Log"][-1]["Output"]


def at_end(box: Box, *path: str) -> object:
    """What inspect says of a container once it has come to rest."""
    until(lambda: box.told["State"]["Status"] == "exited", say=lambda: str(box.told["State"]))
    return told(*path)(box)


def listed(box: Box) -> Json:
    """The row of ``ps``."""
    rows = box.daemon.ask("GET", f'/containers/json?filters={{"id":["{box.id}"]}}')
    [row] = rows
    assert isinstance(row, dict)
    return row


def labelled(box: Box) -> bool:
    found = box.daemon.ask("GET", '/containers/json?filters={"label":["of=a%20field"]}')
    return [each["Id"] for each in found] == [box.id]


def on_build(box: Box) -> object:
    """A trigger of a container is one of the image that is made from it."""
    made = box.daemon.ask("POST", f"/commit?container={box.id}", {})["Id"]
    try:
        return box.daemon.ask("GET", f"/images/{made}/json")["Config"]["OnBuild"]
    finally:
        box.daemon.ask("DELETE", f"/images/{made}")


def typed(box: Box) -> object:
    """One client's input is the container's, and when that client leaves it is all."""
    box.daemon.docker("attach", box.id, input="ahoy\n")
    at_end(box)
    return box.log()


def stopped(box: Box) -> object:
    box.daemon.ask("POST", f"/containers/{box.id}/stop")
    return at_end(box, "State", "ExitCode")


def seconds_to_kill(box: Box) -> float:
    """How long a stop without a time of its own waits, by the engine's own clock."""
    box.daemon.ask("POST", f"/containers/{box.id}/stop")
    words = ("events", "--since=0", f"--until={time.time():.9f}", f"--filter=container={box.id}",
             "--filter=event=kill", "--format={{.TimeNano}}")  # fmt: skip
    times = [int(line) for line in box.daemon.docker(*words).stdout.split()]
    assert len(times) == 2, times
    return (times[1] - times[0]) / SECOND


def gone(box: Box) -> bool:
    box.daemon.ask("POST", f"/containers/{box.id}/kill")
    return until(lambda: box.daemon.answer("GET", f"/containers/{box.id}/json")[0] == 404)


def published(port: str) -> Callable[[Box], object]:
    """The page that is served at the host's port for a container's."""

    def seen(box: Box) -> object:
        binding = box.told["NetworkSettings"]["Ports"][port][0]
        address, number = "127.0.0.1", binding["HostPort"]
        words = ["busybox", "wget", "-qO-", f"http://{address}:{number}/"]
        return until(lambda: box.daemon.run(*words).stdout)

    return seen


def same(namespace: str, of: str) -> Callable[[Box], object]:
    """Whether a namespace is that of another box; ``host`` is this process."""

    def seen(box: Box) -> object:
        other = Path("/proc/self/ns", namespace).readlink() if of == "host" else Path(
            box.beside[of].link(f"ns/{namespace}")
        )  # fmt: skip
        return box.link(f"ns/{namespace}") == str(other)

    return seen


def host(**fields: object) -> Json:
    return {"HostConfig": fields}


def config(**fields: object) -> Json:
    return fields


PAGE = "mkdir -p /www; echo a page >/www/index.html; httpd -p 8000 -h /www; "
SLEEP = "while :; do sleep 1000; done"
MEGA = 1 << 20

CONFIG = [
    Row(config(Hostname="ahoy"), file("/etc/hostname"), "ahoy"),
    Row(config(Domainname="example.org"), inside("cat /proc/sys/kernel/domainname"), "example.org"),
    Row(config(User="1000:7"), lambda box: box.status("Uid") + box.status("Gid"),
        "1000 1000 1000 10007 7 7 7", "person"),
    Row(host(GroupAdd=["99"]), lambda box: box.status("Groups"), "7 99", "person"),
    Row(config(AttachStdin=True), told("Config", "AttachStdin")),
    Row(config(AttachStdout=True), told("Config", "AttachStdout")),
    Row(config(AttachStderr=True), told("Config", "AttachStderr")),
    Row(config(ExposedPorts={"8000/tcp": {}}) | host(PublishAllPorts=True),
        published("8000/tcp"), "a page\n"),
    Row(config(Tty=True), lambda box: box.link("fd/0"), "/dev/pts/0", "terminal"),
    Row(host(ConsoleSize=[33, 99]), lambda box: box.ran("stty size </dev/pts/0"), "33 99",
        "terminal"),
    Row(config(OpenStdin=True), lambda box: box.link("fd/0") != "/dev/null", box="input"),
    Row(config(StdinOnce=True), typed, "ahoy\n", "input"),
    Row(config(Env=["A=b c"]), lambda box: "A=b c" in box.proc("environ").split("\0")),
    Row(config(Cmd=["sh", "-c", SLEEP], Entrypoint=["env"]),
        lambda box: box.proc("cmdline").split("\0")[:3], ["sh", "-c", SLEEP], "person"),
    Row(config(Entrypoint=["env"]), told("Path"), "env", "person"),
    Row(config(ArgsEscaped=True), told("Config", "ArgsEscaped")),
    Row(config(Image="busybox"), told("Config", "Image"), "busybox"),
    Row(config(Volumes={"/kept": {}}), lambda box: "_data" in box.mount("/kept")),
    Row(config(WorkingDir="/made/for/it"), lambda box: box.link("cwd"), "/made/for/it"),
    Row(config(NetworkDisabled=True), inside("ls /sys/class/net"), "lo", "person"),
    Row(config(OnBuild=["RUN true"]), on_build, ["RUN true"]),
    Row(config(Labels={"of": "a field"}), labelled),
    Row(config(StopSignal="SIGUSR1"), stopped, 5, "stopped"),
    Row(config(StopTimeout=0), lambda box: seconds_to_kill(box) < 10, box="stubborn"),
    Row(config(Healthcheck={"Test": ["CMD-SHELL", "ahoy"], "Interval": FRACTION},
               Shell=["echo", "the shell is asked for"]),
        lambda box: health(box, lambda now: now["Status"] == "healthy")["Log"][0]["Output"],
        "the shell is asked for ahoy\n", "well"),
    Row(config(Healthcheck={"Test": ["CMD", "false"], "Interval": FRACTION, "Retries": 2}),
        lambda box: health(box, lambda now: now["Status"] == "unhealthy")["FailingStreak"] >= 2,
        box="sick"),
    # Fails by its time alone; is asked at once, though the interval is long; does not count yet.
    Row(config(Healthcheck={
            "Test": ["CMD", "sleep", "1000"], "Interval": 1000 * SECOND, "Timeout": MILLISECOND,
            "StartPeriod": 1000 * SECOND, "StartInterval": FRACTION}),
        timed_out, ("starting", 0, "Health check exceeded timeout (1ms)"), "begun"),
    Row(config(MacAddress="02:42:ac:11:00:99"), inside("cat /sys/class/net/eth0/address"),
        "02:42:ac:11:00:99", "old"),
    Row(config(Runtime="crun"), told("HostConfig", "Runtime"), "crun", "old"),
]  # fmt: skip

RESOURCES = [
    Row(host(CpuShares=77), group("cpu.shares"), "77"),
    Row(host(CpuPeriod=50_000), group("cpu.cfs_period_us"), "50000"),
    Row(host(CpuQuota=25_000), group("cpu.cfs_quota_us"), "25000"),
    Row(host(NanoCpus=SECOND // 2), group("cpu.cfs_quota_us"), "50000", "person"),
    Row(host(CpusetCpus="0"), group("cpuset.cpus"), "0"),
    Row(host(CpusetMems="0"), group("cpuset.mems"), "0"),
    Row(host(Memory=64 * MEGA), group("memory.limit_in_bytes"), str(64 * MEGA)),
    Row(host(MemorySwap=96 * MEGA), group("memory.memsw.limit_in_bytes"), str(96 * MEGA)),
    Row(host(MemoryReservation=32 * MEGA), group("memory.soft_limit_in_bytes"), str(32 * MEGA)),
    Row(host(MemorySwappiness=33), group("memory.swappiness"), "33"),
    Row(host(OomKillDisable=True), lambda box: box.group("memory.oom_control").split("\n")[0],
        "oom_kill_disable 1"),
    Row(host(PidsLimit=44), group("pids.max"), "44"),
    Row(host(CgroupParent=GROUP), lambda box: f":{GROUP}/{box.id}\n" in box.proc("cgroup"),
        box="person"),
    Row(host(BlkioDeviceReadBps=[{"Path": DISK, "Rate": 1073741824}]),
        group("blkio.throttle.read_bps_device"), f"{NUMBERS} 1073741824"),
    Row(host(BlkioDeviceWriteBps=[{"Path": DISK, "Rate": 2147483648}]),
        group("blkio.throttle.write_bps_device"), f"{NUMBERS} 2147483648"),
    Row(host(BlkioDeviceReadIOps=[{"Path": DISK, "Rate": 3000000}]),
        group("blkio.throttle.read_iops_device"), f"{NUMBERS} 3000000"),
    Row(host(BlkioDeviceWriteIOps=[{"Path": DISK, "Rate": 4000000}]),
        group("blkio.throttle.write_iops_device"), f"{NUMBERS} 4000000"),
    Row(host(BlkioWeight=300), weighed, box="weighed"),
    Row(host(BlkioWeightDevice=[{"Path": DISK, "Weight": 400}]), weighed, box="weighed"),
    Row(host(KernelMemory=64 * MEGA), lambda box: "Kernel memory limits are gone" in box.warnings,
        box="weighed"),
    *([Row(host(CpuRealtimePeriod=1_000_000, CpuRealtimeRuntime=1_000), real_time, box="real")]
      if REAL_TIME else []),
    Row(host(Devices=[{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/said",
                       "CgroupPermissions": "r"}]), mapped_device),
    Row(host(DeviceCgroupRules=["c 10:229 r"]),
        lambda box: "c 10:229 r" in box.group("devices.list")),
    Row(host(Init=True), lambda box: box.proc("comm") != "sh\n"),
    Row(host(Ulimits=[{"Name": "nofile", "Soft": 100, "Hard": 200}]),
        lambda box: re.search(r"open files +(\d+) +(\d+)", box.proc("limits"))[0].split()[2:],  # type: ignore[index]
        ["100", "200"]),
]  # fmt: skip

HOST = [
    Row(host(Binds=["/dev:/of/the/host:ro"]), inside("touch /of/the/host/x"),
        "touch: /of/the/host/x: Read-only file system", "person"),
    Row(host(VolumeDriver="local", Binds=["field-volume:/named"]),
        lambda box: [each["Driver"] for each in told("Mounts")(box)
                     if each.get("Name") == "field-volume"], ["local"], "linked"),
    Row(host(ContainerIDFile="/of/the/client"), told("HostConfig", "ContainerIDFile"),
        "/of/the/client"),
    Row(host(LogConfig={"Type": "json-file", "Config": {"labels": "of"}}) | config(
            Labels={"of": "a field"}),
        lambda box: box.daemon.docker("logs", "--details", box.id).stdout, "of=a+field ready\n"),
    Row(host(NetworkMode="container:{plain}"), same("net", "plain"), box="joined"),
    Row(host(PidMode="container:{plain}"), same("pid", "plain"), box="joined"),
    Row(host(IpcMode="container:{plain}"), same("ipc", "plain"), box="joined"),
    Row(host(IpcMode="shareable"), told("HostConfig", "IpcMode"), "shareable"),
    Row(host(UTSMode="host"), same("uts", "host"), box="joined"),
    Row(host(CgroupnsMode="private"), same("cgroup", "host"), False),
    Row(host(UsernsMode="host"), same("user", "host"), box="joined"),
    Row(host(VolumesFrom=["{plain}:ro"]), lambda box: box.mount("/kept").split()[5].split(",")[0],
        "ro", "joined"),
    Row(host(PortBindings={"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]}),
        published("8000/tcp"), "a page\n", "linked"),
    Row(host(Links=["{plain}:neighbour"]), inside("wget -qO- http://neighbour:8000/"), "a page",
        "linked"),
    Row(host(RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 2}),
        lambda box: at_end(box, "RestartCount"), 2, "failing"),
    Row(host(AutoRemove=True), gone, box="passing"),
    Row(host(Annotations={"of": "a field"}), told("HostConfig", "Annotations", "of"), "a field"),
    Row(host(Annotations={"of": "a field"}), lambda box: listed(box)["HostConfig"]["Annotations"],
        {"of": "a field"}),
    Row(host(CapAdd=["SYS_TIME"]), lambda box: 25 in capabilities(box)),
    Row(host(CapDrop=["CHOWN"]), lambda box: 0 in capabilities(box), False),
    Row(host(Privileged=True), lambda box: capabilities(box) >= {12, 21}, box="linked"),
    Row(host(Dns=["192.0.2.53"]),
        lambda box: "nameserver 192.0.2.53\n" in box.proc("root/etc/resolv.conf")),
    Row(host(DnsOptions=["ndots:3"]),
        lambda box: "options ndots:3\n" in box.proc("root/etc/resolv.conf")),
    Row(host(DnsSearch=["example.org"]),
        lambda box: "search example.org\n" in box.proc("root/etc/resolv.conf")),
    Row(host(ExtraHosts=["far:192.0.2.7"]),
        lambda box: "192.0.2.7\tfar\n" in box.proc("root/etc/hosts")),
    Row(host(OomScoreAdj=77), lambda box: box.proc("oom_score_adj"), "77\n"),
    Row(host(ReadonlyRootfs=True), inside("touch /etc/x"), "touch: /etc/x: Read-only file system",
        "well"),
    Row(host(SecurityOpt=["no-new-privileges"]), lambda box: box.status("NoNewPrivs"), "1"),
    Row(host(StorageOpt={"size": "64m"}),
        lambda box: 0 < int(box.ran("df -m / | tail -1").split()[3]) <= 64, box="person"),
    Row(host(Tmpfs={"/quick": "size=1m,mode=700"}),
        lambda box: "size=1024k,mode=700" in box.mount("/quick")),
    Row(host(ShmSize=5 * MEGA), lambda box: "size=5120k" in box.mount("/dev/shm")),
    Row(host(Sysctls={"net.core.somaxconn": "77"}), inside("cat /proc/sys/net/core/somaxconn"),
        "77"),
    Row(host(Runtime="crun"), told("HostConfig", "Runtime"), "crun"),
    Row(host(Isolation="default"), told("HostConfig", "Isolation"), "default"),
    Row(host(MaskedPaths=["/proc/uptime"]), inside("cat /proc/uptime"), ""),
    Row(host(ReadonlyPaths=["/proc/sys/kernel"]),
        lambda box: box.mount("/proc/sys/kernel").split()[5].split(",")[0], "ro"),
]  # fmt: skip

ROWS = [*CONFIG, *RESOURCES, *HOST]

GPU = {"Driver": "nvidia", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}
REFUSED = [
    Refused(host(DeviceRequests=[GPU]), 501, "could not select device driver"),
    *(
        []
        if REAL_TIME
        else [
            Refused(host(CpuRealtimePeriod=1_000_000), 400, "CPU real-time scheduler"),
            Refused(host(CpuRealtimeRuntime=1_000), 400, "CPU real-time scheduler"),
        ]
    ),
    Refused(host(CpuCount=2), 400, "CPU count"),
    Refused(host(CpuPercent=2), 400, "CPU percent"),
    Refused(host(IOMaximumIOps=2), 400, "Maximum IO"),
    Refused(host(IOMaximumBandwidth=2), 400, "Maximum IO"),
    Refused(host(StorageOpt={"speed": "5"}), 400, "speed"),
    Refused(host(Cgroup="container:x"), 501, "HostConfig.Cgroup"),
    Refused(host(Isolation="hyperv"), 400, "isolation (hyperv)"),
    Refused(host(UsernsMode="private"), 400, "userns mode: private"),
    Refused(host(Runtime="runsc"), 400, "runsc"),
    Refused(host(VolumeDriver="nfs", Binds=["x:/y"]), 404, "nfs"),
    Refused(host(LogConfig={"Type": "gelf"}), 501, "gelf"),
]

LOOP = "while :; do sleep 0.1; done"


def shell(script: str, **fields: object) -> Json:
    return {"Cmd": ["sh", "-c", script], **fields}


BASES: dict[str, Json] = {
    "plain": shell(PAGE + "echo ready; " + SLEEP),
    "person": {},
    "terminal": shell(SLEEP),
    "input": {"Cmd": ["cat"]},
    "stopped": shell("trap 'exit 5' USR1; echo ready; " + LOOP),
    "stubborn": shell("trap '' TERM; echo ready; " + LOOP),
    **dict.fromkeys(("well", "sick", "begun", "joined", "passing"), shell(SLEEP)),
    "real": shell(SLEEP, **{"may fail": True}),
    "weighed": shell(SLEEP),
    "old": shell(SLEEP, version="/v1.43"),
    "linked": shell(PAGE + "echo ready; " + SLEEP, ExposedPorts={"8000/tcp": {}}),
    "failing": shell("exit 3"),
}


@pytest.fixture(scope="module")
def boxes(daemon: Daemon) -> Iterator[Boxes]:
    boxes = Boxes(daemon, ROWS, BASES)
    yield boxes
    boxes.remove()
    remove_group(GROUP)
    daemon.docker("volume", "rm", "-f", "field-volume")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_field_has_its_effect(boxes: Boxes, row: Row) -> None:
    assert row.seen(boxes[row.box]) == row.expected


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_a_field_is_refused_by_name(daemon: Daemon, row: Refused) -> None:
    body = {"Image": "busybox", **row.sent}
    answer = daemon.answer("POST", "/containers/create", body)
    assert refused(row, answer), answer


def test_no_field_is_without_a_row() -> None:
    missing = without_rows(ContainerCreate, [*ROWS, *REFUSED])
    assert {each for each in missing if not each.startswith(ELSEWHERE)} == set()
