"""Each field of ``POST /containers/{id}/update``: what it does to one that runs, or its refusal."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from knarr.spec.docker.container import ContainerUpdate
from support.daemon import Daemon
from support.effects import Box, Boxes, Json, Refused, Row, refused, without_rows

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")

MEGA = 1 << 20
DISK = next((f"/dev/{each}" for each in ("vda", "sda", "nvme0n1", "loop0")
             if os.path.exists(f"/sys/block/{each}")), "/dev/loop0")  # fmt: skip
NUMBERS = f"{os.major(os.stat(DISK).st_rdev)}:{os.minor(os.stat(DISK).st_rdev)}"


def group(name: str) -> Callable[[Box], object]:
    return lambda box: box.group(name)


def told(name: str) -> Callable[[Box], Any]:
    return lambda box: box.told["HostConfig"][name]


def rate(name: str) -> Callable[[Box], object]:
    return lambda box: box.group(f"blkio.throttle.{name}_device")


ROWS = [
    Row({"CpuShares": 77}, group("cpu.shares"), "77"),
    Row({"CpuPeriod": 50_000}, group("cpu.cfs_period_us"), "50000"),
    Row({"CpuQuota": 25_000}, group("cpu.cfs_quota_us"), "25000"),
    Row({"NanoCpus": 10**9 // 2}, group("cpu.cfs_quota_us"), "50000", "other"),
    Row({"CpusetCpus": "0"}, group("cpuset.cpus"), "0"),
    Row({"CpusetMems": "0"}, group("cpuset.mems"), "0"),
    Row({"Memory": 64 * MEGA, "MemorySwap": 96 * MEGA}, group("memory.memsw.limit_in_bytes"),
        str(96 * MEGA)),
    Row({"Memory": 48 * MEGA}, group("memory.limit_in_bytes"), str(48 * MEGA)),
    Row({"MemoryReservation": 32 * MEGA}, group("memory.soft_limit_in_bytes"), str(32 * MEGA)),
    Row({"PidsLimit": 44}, group("pids.max"), "44"),
    Row({"BlkioDeviceReadBps": [{"Path": DISK, "Rate": 1 << 30}]}, rate("read_bps"),
        f"{NUMBERS} {1 << 30}"),
    Row({"BlkioDeviceWriteBps": [{"Path": DISK, "Rate": 1 << 31}]}, rate("write_bps"),
        f"{NUMBERS} {1 << 31}"),
    Row({"BlkioDeviceReadIOps": [{"Path": DISK, "Rate": 3 << 20}]}, rate("read_iops"),
        f"{NUMBERS} {3 << 20}"),
    Row({"BlkioDeviceWriteIOps": [{"Path": DISK, "Rate": 4 << 20}]}, rate("write_iops"),
        f"{NUMBERS} {4 << 20}"),
    Row({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}, told("RestartPolicy"),
        {"Name": "on-failure", "MaximumRetryCount": 3}),
]  # fmt: skip

# Kept for the next start, or not to be had here: either is told.
WARNED = [
    (Row({"Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}]}, told("Ulimits"),
         [{"Name": "nofile", "Soft": 100, "Hard": 200}]), "from the container's next start on"),
    (Row({"KernelMemory": 64 * MEGA}, lambda _: None, None), "Kernel memory limits are gone"),
]  # fmt: skip

REFUSED = [
    *(
        Refused({name: value}, 501, f"{name} of a container cannot be updated")
        for name, value in {
            "CgroupParent": "/x",
            "Devices": [{"PathOnHost": "/dev/x", "PathInContainer": "/x",
                         "CgroupPermissions": "r"}],
            "DeviceCgroupRules": ["c 1:1 r"],
            "DeviceRequests": [{"Driver": "x", "Count": 1, "DeviceIDs": [], "Capabilities": [],
                                "Options": {}}],
            "Init": True,
            "OomKillDisable": True,
            "MemorySwappiness": 7,
            "CpuCount": 2,
            "CpuPercent": 2,
        }.items()
    ),
    Refused({"IOMaximumIOps": 2}, 400, "Maximum IO IOps"),
    Refused({"IOMaximumBandwidth": 2}, 400, "Maximum IO Bandwidth"),
    Refused({"RestartPolicy": {"Name": "sometimes"}}, 400, "unknown policy 'sometimes'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def boxes(daemon: Daemon) -> Iterator[Boxes]:
    idle: Json = {"Cmd": ["sleep", "1000"]}
    boxes = Boxes(daemon, (), {"plain": idle, "other": idle})
    yield boxes
    boxes.remove()


def update(box: Box, sent: Json) -> list[str]:
    """Its warnings."""
    answer = box.daemon.ask("POST", f"/containers/{box.id}/update", sent)
    return answer["Warnings"] or []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_field_changes_a_running_container(boxes: Boxes, row: Row) -> None:
    box = boxes[row.box]
    update(box, row.sent)
    assert row.seen(box) == row.expected


@pytest.mark.parametrize(("row", "words"), WARNED, ids=lambda each: getattr(each, "name", ""))
def test_what_a_field_does_not_change_now_is_told(boxes: Boxes, row: Row, words: str) -> None:
    box = boxes[row.box]
    assert words in " ".join(update(box, row.sent))
    assert row.seen(box) == row.expected


WEIGHTS = Row({"BlkioWeight": 300, "BlkioWeightDevice": [{"Path": DISK, "Weight": 400}]},
              lambda box: NUMBERS in box.group("blkio.bfq.weight_device"))  # fmt: skip


def test_weights_hold_or_are_said_to_be_discarded(boxes: Boxes) -> None:
    said = " ".join(update(boxes["plain"], WEIGHTS.sent))
    if "Weight discarded" in said:
        assert "Weight-device discarded" in said
    else:
        assert WEIGHTS.seen(boxes["plain"])


REAL_TIME = Row({"CpuRealtimePeriod": 1_000_000, "CpuRealtimeRuntime": 1_000},
                group("cpu.rt_runtime_us"), "1000")  # fmt: skip


def test_real_time_is_given_or_the_reason_told(boxes: Boxes) -> None:
    box = boxes["plain"]
    status, answer = box.daemon.answer("POST", f"/containers/{box.id}/update", REAL_TIME.sent)
    if status >= 400:
        assert b"real-time" in answer or b"cpu.rt_runtime_us" in answer
    else:
        assert REAL_TIME.seen(box) == REAL_TIME.expected


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_a_field_that_cannot_change_is_refused_by_name(boxes: Boxes, row: Refused) -> None:
    box = boxes["plain"]
    answer = box.daemon.answer("POST", f"/containers/{box.id}/update", row.sent)
    assert refused(row, answer), answer


def test_no_field_of_an_update_is_without_a_row() -> None:
    rows: list[Row | Refused] = [*ROWS, *(row for row, _ in WARNED), WEIGHTS, REAL_TIME, *REFUSED]
    assert without_rows(ContainerUpdate, rows) == set()
