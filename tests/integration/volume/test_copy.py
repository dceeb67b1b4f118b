import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from knarr.volume.copy import copy_tree, size_bytes

pytestmark = pytest.mark.needs("root")


@contextmanager
def opened(path: Path) -> Iterator[int]:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield folder
    finally:
        os.close(folder)


def copied(source: Path, target: Path) -> None:
    target.mkdir()
    with opened(source) as inner, opened(target) as outer:
        copy_tree(inner, outer)


def facts(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, found.st_rdev)


def test_a_tree_is_copied_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "deeper").mkdir(parents=True)
    (source / "file").write_bytes(b"content")
    (source / "program").write_bytes(b"#!")
    os.chown(source / "program", 12, 34)
    (source / "program").chmod(0o4751)
    os.setxattr(source / "file", "user.note", b"kept")
    (source / "link").symlink_to("/etc/passwd")
    os.chown(source / "link", 5, 6, follow_symlinks=False)
    os.mkfifo(source / "deep" / "pipe")
    (source / "deep" / "pipe").chmod(0o622)
    os.mknod(source / "deep" / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.link(source / "file", source / "deep" / "deeper" / "again")
    os.utime(source / "deep", ns=(1_000, 2_000))
    source.chmod(0o1777)
    target = tmp_path / "target"
    copied(source, target)

    places = sorted(path.relative_to(source) for path in source.rglob("*"))
    assert sorted(path.relative_to(target) for path in target.rglob("*")) == places
    for place in [Path(), *places]:
        assert facts(target / place) == facts(source / place), place
    assert (target / "file").read_bytes() == b"content"
    assert os.getxattr(target / "file", "user.note") == b"kept"
    assert os.readlink(target / "link") == "/etc/passwd"
    assert (target / "file").samefile(target / "deep/deeper/again")
    assert not (target / "file").samefile(source / "file")


def test_holes_stay_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        file.seek(8 << 20)
        file.write(b"end")
        file.truncate(16 << 20)
    copied(source, tmp_path / "target")
    found = tmp_path / "target" / "sparse"
    assert found.read_bytes() == (source / "sparse").read_bytes()
    assert found.stat().st_blocks <= (source / "sparse").stat().st_blocks + 8


def test_sockets_are_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "socket"))
    copied(source, tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []


def test_nothing_is_written_through_a_link_that_lies_in_the_way(tmp_path: Path) -> None:
    source, target, outside = (tmp_path / name for name in ("source", "target", "outside"))
    for folder in (source / "etc", target, outside):
        folder.mkdir(parents=True)
    (source / "etc" / "passwd").write_text("mine")
    (target / "etc").symlink_to(outside)
    with opened(source) as inner, opened(target) as outer, pytest.raises(FileExistsError):
        copy_tree(inner, outer)
    assert list(outside.iterdir()) == []


def test_sizes_count_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a" / "one", tmp_path / "two")
    (tmp_path / "three").write_bytes(b"y" * 10)
    with opened(tmp_path) as folder:
        assert size_bytes(folder) == 1010


@pytest.mark.long  # not every machine has loop devices
@pytest.mark.needs("mkfs.btrfs")
def test_copies_share_their_blocks_where_the_file_system_can(tmp_path: Path) -> None:
    disk, place = tmp_path / "disk", tmp_path / "mounted"
    place.mkdir()
    with disk.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "-q", str(disk)], check=True)
    subprocess.run(["mount", "-o", "loop,nodatacow", str(disk), str(place)], check=True)
    try:
        source = place / "source"
        source.mkdir()
        content = os.urandom(1 << 20) * 60
        (source / "file").write_bytes(content)
        for number in range(5):  # 360 MB that are 60
            copied(source, place / f"copy{number}")
        (source / "file").write_bytes(b"changed")
        assert (place / "copy4" / "file").read_bytes() == content
    finally:
        subprocess.run(["umount", str(place)], check=True)
