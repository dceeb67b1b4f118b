import os
import stat
from pathlib import Path

import pytest

from knarr.container.facts import (
    account_files,
    block_device_numbers,
    found_devices,
    host_device,
    host_devices,
    make_working_directory,
    read_machine,
)
from knarr.errors import InvalidArgument

pytestmark = pytest.mark.needs("root")


def test_this_machine_is_read() -> None:
    machine = read_machine()
    assert machine.cpus >= os.sched_getaffinity(0)
    assert machine.kernel == tuple(map(int, os.uname().release.split(".")[:2]))
    assert machine.hard_limits["nofile"] > 0
    assert machine.cgroup_version in (1, 2)
    assert "CAP_CHOWN" in machine.capabilities
    assert machine.memory_bytes > 1 << 20


def test_devices_are_found_by_path_by_link_and_by_folder(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    (folder / "below").mkdir(parents=True)
    os.mknod(folder / "zero", 0o640 | stat.S_IFCHR, os.makedev(1, 5))
    os.mknod(folder / "below" / "disk", 0o600 | stat.S_IFBLK, os.makedev(254, 7))
    (folder / "note").write_text("no device")
    (tmp_path / "link").symlink_to(folder / "zero")
    paths = (str(tmp_path / "link"), str(folder), "/dev/nothing")
    found = found_devices(paths)
    assert [(each.path, each.type, each.minor) for each in found[paths[0]]] == [
        (str(tmp_path / "link"), "c", 5)
    ]
    assert {each.path for each in found[paths[1]]} == {
        str(folder / "zero"),
        str(folder / "below" / "disk"),
    }
    assert found[paths[2]] == ()
    assert {each.path for each in host_devices(str(folder))} == {
        str(folder / "zero"),
        str(folder / "below" / "disk"),
    }
    assert block_device_numbers([str(folder / "below" / "disk")]) == {
        str(folder / "below" / "disk"): (254, 7)
    }
    assert host_device(str(folder / "note")) is None
    with pytest.raises(InvalidArgument, match="stat /dev/nothing: no such file"):
        block_device_numbers(["/dev/nothing"])


def test_links_in_an_image_never_lead_to_the_hosts_files(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "etc" / "group").symlink_to("/../../real")
    (tmp_path / "real").write_text("inside:x:1:\n")
    assert account_files(str(tmp_path)) == ("", "inside:x:1:\n")


def test_a_pipe_for_a_passwd_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc" / "passwd")
    assert account_files(str(tmp_path)) == ("", "")


def test_a_working_directory_is_made_with_what_lies_above(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("/here")
    make_working_directory(str(tmp_path), "/link/a/b", (5, 6))
    made = tmp_path / "here" / "a" / "b"
    assert made.is_dir()
    assert (made.stat().st_uid, made.stat().st_gid) == (5, 6)
    make_working_directory(str(tmp_path), "/link/a/b")
    make_working_directory(str(tmp_path), "/")


@pytest.mark.parametrize("path", ["/file", "/file/below", "/dangling"])
def test_a_file_in_the_way_of_a_working_directory_is_said(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("/nowhere")
    with pytest.raises(InvalidArgument, match=rf"^Cannot mkdir: {path} is not a directory$"):
        make_working_directory(str(tmp_path), path)
