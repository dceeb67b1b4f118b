"""A writable layer of bounded size: on a file system of its own, which never outlives its users."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integration.snapshot.conftest import Box
from knarr.errors import Unsupported
from knarr.kernel import mount
from knarr.snapshot import DiskSize, disk
from knarr.snapshot.disk import disk_mounted, make_disk
from support import images
from support.leaks import loops
from support.rooms import Rooms
from support.waiting import until

pytestmark = pytest.mark.needs("root", "overlay", "mkfs.ext4")

MIB = 1 << 20
SIZE = DiskSize(usable_bytes=16 * MIB)
BELOW = images.layer({"etc": None, "etc/motd": b"ahoy"})


@pytest.fixture
def box(rooms: Rooms) -> Iterator[Box]:
    made = Box(rooms, "box", BELOW)
    rooms.containers.bound(made.id, SIZE)
    yield made
    rooms.containers.remove(made.id)
    rooms.containers.empty_trash()
    until(lambda: not loops(rooms.root), say=lambda: f"left behind: {loops(rooms.root)}")


def filled(path: Path) -> int:
    """Write until there is no room; how many bytes there was."""
    with path.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(MIB))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return path.stat().st_size


def test_it_is_full_at_its_size_and_not_before(rooms: Rooms, box: Box) -> None:
    with rooms.containers.mounted(box.id) as root:
        assert SIZE.usable_bytes <= filled(root / "big") <= SIZE.usable_bytes * 1.02
        (root / "big").unlink()
        assert filled(root / "etc" / "again") >= SIZE.usable_bytes


@pytest.mark.parametrize("size", [8 * MIB, 300 * MIB, 5 << 30, 100 << 30])
def test_all_of_a_size_is_the_containers(tmp_path: Path, size: int) -> None:
    make_disk(tmp_path, DiskSize(usable_bytes=size))
    file = (tmp_path / disk.DISK).stat()
    assert file.st_blocks * 512 < 8 * MIB, "it takes room before it is written to"
    with disk_mounted(tmp_path) as root:
        there = os.statvfs(root)
    assert size <= there.f_bavail * there.f_frsize <= size * 1.01 + MIB // 4
    until(lambda: not loops(tmp_path))


def test_what_is_written_is_seen_mounted_and_at_rest(rooms: Rooms, box: Box) -> None:
    root = rooms.containers.mount(box.id)
    (root / "etc/motd").write_text("changed")
    (root / "new").write_text("12345")
    assert mount.mounts_beneath(str(rooms.root)) == [str(root)], "the disk itself is out of sight"
    for _ in range(2):
        assert box.changes() == {"A /new", "C /etc", "C /etc/motd"}
        assert rooms.containers.size_bytes(box.id) == 12
        exported: list[bytes] = []
        rooms.containers.export(box.id, exported.append)
        assert b"12345" in b"".join(exported)
        rooms.containers.unmount(box.id)
    assert rooms.containers.layer(box.id).entries == 3
    with rooms.containers.mounted(box.id) as root:
        assert (root / "new").read_text() == "12345"


def test_of_many_at_once_all_see_one_file_system(rooms: Rooms, tmp_path: Path) -> None:
    make_disk(tmp_path, SIZE)

    def write(number: int) -> None:
        with disk_mounted(tmp_path) as root:
            (root / f"{number}").write_text("here")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    with disk_mounted(tmp_path) as root:
        assert {f"{number}" for number in range(64)} <= set(os.listdir(root))
    until(lambda: not loops(tmp_path))


_KILLED = """
import os, sys
from pathlib import Path
from knarr.snapshot.disk import disk_attached
folder, point = map(Path, sys.argv[1:])
with disk_attached(folder, point) as place:
    (place / "upper" / "written").write_text("before the end")
    os.sync()
    os.kill(os.getpid(), 9)
"""


def test_nothing_is_left_of_a_process_that_was_killed_with_it(rooms: Rooms, box: Box) -> None:
    folder, point = rooms.root / "containers" / box.id, rooms.root / "run/containers" / box.id
    killed = subprocess.run([sys.executable, "-c", _KILLED, folder, point / "disk"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert loops(rooms.root)
    rooms.containers.repair(())
    until(lambda: not loops(rooms.root))
    assert not (point / "disk").exists()
    assert box.changes() == {"A /written"}


def test_a_machine_without_the_means_says_what_is_missing(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(rooms, "without", BELOW)
    with monkeypatch.context() as patched:
        patched.setattr(disk, "_PATH", "/nowhere")
        with pytest.raises(Unsupported, match=r"needs mkfs\.ext4: install e2fsprogs"):
            rooms.containers.bound(box.id, SIZE)
    with monkeypatch.context() as patched:
        patched.setattr("knarr.kernel.loop.CONTROL", "/nowhere/loop-control")
        with pytest.raises(Unsupported, match=r"does not give: /nowhere/loop-control: No such"):
            rooms.containers.bound(box.id, SIZE)
    assert not (rooms.root / "containers" / box.id / disk.DISK).exists()
    with rooms.containers.mounted(box.id) as root:
        (root / "new").write_text("as ever")
    assert box.changes() == {"A /new"}


def test_a_file_in_memory_will_do(tmp_path: Path) -> None:
    mount.mount("tmpfs", str(tmp_path), "tmpfs", options="size=64m")
    try:
        make_disk(tmp_path, DiskSize(usable_bytes=1 << 30))
        with disk_mounted(tmp_path) as root:
            (root / "upper/file").write_text("larger than what it is in")
        until(lambda: not loops(tmp_path))
    finally:
        mount.unmount(str(tmp_path), lazy=True)
