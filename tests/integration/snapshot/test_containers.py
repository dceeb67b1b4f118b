import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from integration.snapshot.conftest import Box
from knarr.errors import KnarrError, NotFound
from knarr.kernel.mount import is_mount_point, mounts_beneath
from knarr.snapshot import ContainerLayers, overlay
from support import images, recipes
from support.dockers import docker_daemon
from support.rooms import Rooms

pytestmark = pytest.mark.needs("root", "overlay")
BELOW = images.layer({
    "etc": None, "etc/motd": b"ahoy", "etc/passwd": b"root", "d": None, "d/a": b"a", "d/b": b"b",
    "tmp": None, "bin": None, "link": "etc",
})  # fmt: skip


@pytest.fixture
def box(rooms: Rooms) -> Box:
    return Box(rooms, "box", BELOW)


def test_what_a_container_writes_stays_in_its_own_layer(rooms: Rooms, box: Box) -> None:
    root = rooms.containers.mount(box.id)
    (root / "etc/motd").write_text("changed")
    (root / "new").write_text("12345")
    rooms.containers.unmount(box.id)
    assert not root.exists()
    assert rooms.containers.size_bytes(box.id) == 12
    other = Box(rooms, "other", BELOW)
    with rooms.containers.mounted(other.id) as root:
        assert (root / "etc/motd").read_text() == "ahoy"
    with rooms.containers.mounted(box.id) as root:
        assert (root / "etc/motd").read_text() == "changed"


def test_it_is_the_same_where_all_layers_have_to_fit_one_page(
    rooms: Rooms, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay, "knows_lowerdir_append", lambda: False)  # Linux before 6.7
    root = rooms.containers.mount(box.id)
    assert (root / "etc/motd").read_text() == "ahoy"
    (root / "etc/motd").write_text("changed")
    (root / "d/a").unlink()
    rooms.containers.unmount(box.id)
    assert {(each.kind, each.path) for each in rooms.containers.changes(box.id)} == {
        ("C", "/etc"), ("C", "/etc/motd"), ("C", "/d"), ("D", "/d/a"),
    }  # fmt: skip


def test_it_stays_mounted_until_the_last_user_goes(rooms: Rooms, box: Box) -> None:
    root = rooms.containers.mount(box.id)
    assert rooms.containers.mount(box.id) == root
    with rooms.containers.mounted(box.id):
        rooms.containers.unmount(box.id)
        rooms.containers.unmount(box.id)
        assert is_mount_point(str(root))
        assert len(mounts_beneath(str(root))) == 1
    assert not is_mount_point(str(root))


def test_a_volatile_mount_can_be_mounted_again_after_a_crash(rooms: Rooms, box: Box) -> None:
    root = rooms.containers.mount(box.id, volatile=True)
    (root / "new").write_text("x")
    assert "volatile" in Path("/proc/mounts").read_text().split(str(root))[1].split("\n")[0]
    rooms.containers.unmount(box.id)
    assert (
        rooms.root.joinpath("containers", "box", "work", "work", "incompat", "volatile")
    ).is_dir()
    with rooms.containers.mounted(box.id) as root:
        assert (root / "new").read_text() == "x"


def test_what_every_container_needs_is_there_and_no_change(rooms: Rooms, box: Box) -> None:
    with rooms.containers.mounted(box.id) as root:
        for name in ("dev/pts", "dev/shm", "proc", "sys"):
            assert (root / name).is_dir()
        for name in ("etc/hosts", "etc/resolv.conf", "etc/hostname", "dev/console", ".dockerenv"):
            assert stat.S_ISREG((root / name).lstat().st_mode)
        assert (root / "etc/motd").read_text() == "ahoy"
    assert box.changes() == set()


def test_the_image_s_own_folders_keep_owner_mode_and_time(rooms: Rooms) -> None:
    recipe = {
        "members": [
            {"name": "etc/", "type": "dir", "mode": "700", "uid": 3, "gid": 4},
            {"name": "etc/hosts", "content": "kept"},
            {"name": "proc/", "type": "dir", "mode": "555"},
            {"name": "dev/", "type": "dir", "mode": "711"},
        ]
    }
    box = Box(rooms, "box", recipes.built(recipe))
    with rooms.containers.mounted(box.id) as root:
        etc = (root / "etc").stat()
        assert (stat.S_IMODE(etc.st_mode), etc.st_uid, etc.st_gid) == (0o700, 3, 4)
        assert etc.st_mtime == recipes.MTIME
        assert (root / "etc/hosts").read_text() == "kept"
        assert stat.S_IMODE((root / "proc").stat().st_mode) == 0o555
        assert stat.S_IMODE((root / "dev").stat().st_mode) == 0o711


def test_an_image_that_makes_etc_a_link_is_left_alone(rooms: Rooms, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    box = Box(rooms, "box", images.layer({"etc": str(outside), "dev": "/etc"}))
    with rooms.containers.mounted(box.id) as root:
        assert (root / "etc").is_symlink()
        assert (root / "dev").is_symlink()
    assert os.listdir(outside) == []


def test_a_container_of_no_layers_is_an_empty_root(rooms: Rooms) -> None:
    box = Box(rooms, "empty")
    with rooms.containers.mounted(box.id) as root:
        assert sorted(os.listdir(root)) == [".dockerenv", "dev", "etc", "proc", "sys"]


def test_changes_are_told_by_path(rooms: Rooms, box: Box) -> None:
    with rooms.containers.mounted(box.id) as root:
        (root / "etc/motd").write_text("changed")
        (root / "etc/passwd").unlink()
        (root / "etc/new").write_text("x")
        (root / "a/b").mkdir(parents=True)
        shutil.rmtree(root / "d")
        (root / "d").mkdir()
        (root / "d/b").write_text("again")
        os.chmod(root / "bin", 0o700)
        os.utime(root / "tmp")
        os.chmod(root / "link/hosts", 0o755)
    assert box.changes() == {
        "C /etc", "C /etc/motd", "D /etc/passwd", "A /etc/new", "A /a", "A /a/b",
        "C /d", "D /d/a", "C /d/b", "C /bin",
    }  # fmt: skip


def test_a_committed_layer_is_what_the_container_wrote(rooms: Rooms, box: Box) -> None:
    with rooms.containers.mounted(box.id) as root:
        (root / "etc/passwd").unlink()
        (root / "n").write_text("n" * 3000)
        os.link(root / "n", root / "m")
        os.setxattr(root / "n", "user.colour", b"red")
        shutil.rmtree(root / "d")
        (root / "d").mkdir(mode=0o750)
        os.mkfifo(root / "pipe")
        os.chown(root / "n", 7, 8)
        os.chmod(root / "n", 0o4711)
    first = rooms.containers.layer(box.id)
    again = rooms.containers.layer(box.id)
    assert first == again
    lines = recipes.tree(rooms.layers.lower(first.diff_id))
    assert {
        name: line.removesuffix(" now").replace(" now", "") for name, line in lines.items()
    } == {
        "d": "dir 0750 0:0 opaque",
        "etc": "dir 0755 0:0",
        "etc/passwd": "whiteout",
        "m": "file 4711 7:8 3000 bytes 856641e2fc61 user.colour=726564",
        "n": "file 4711 7:8 3000 bytes 856641e2fc61 = m user.colour=726564",
        "pipe": "fifo 0644 0:0",
    }


def test_an_export_is_the_whole_root(rooms: Rooms, box: Box) -> None:
    with rooms.containers.mounted(box.id) as root:
        (root / "etc/passwd").unlink()
        (root / "new").write_text("x")
    archive = io.BytesIO()
    rooms.containers.export(box.id, archive.write)  # type: ignore[arg-type]
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        names = set(tar.getnames())
    assert {"etc/motd", "new", "d/a", "link", ".dockerenv"} <= names
    assert "etc/passwd" not in names


def test_a_removed_container_lets_go_of_everything(rooms: Rooms, box: Box) -> None:
    rooms.containers.mount(box.id)
    rooms.images.collect()
    assert len(list(rooms.layers.diff_ids())) == 1
    rooms.containers.remove(box.id)
    rooms.containers.empty_trash()
    rooms.images.collect()
    assert list(rooms.layers.diff_ids()) == []
    assert os.listdir(rooms.root / "containers") == []
    assert os.listdir(rooms.root / "run/containers") == []
    with pytest.raises(NotFound):
        rooms.containers.mount(box.id)


def test_after_a_crash_what_runs_stays_and_the_rest_is_unmounted(rooms: Rooms, box: Box) -> None:
    other = Box(rooms, "other", BELOW)
    kept, left = rooms.containers.mount(box.id), rooms.containers.mount(other.id)
    anew = ContainerLayers(rooms.db, rooms.layers, rooms.root, rooms.root / "run")
    (found,) = anew.repair([box.id])
    assert "other" in found
    assert is_mount_point(str(kept))
    assert not is_mount_point(str(left))
    anew.unmount(box.id)
    assert not is_mount_point(str(kept))


def test_init_layers_go_with_the_last_container_of_their_chain(rooms: Rooms) -> None:
    tar = images.layer({"a": b"1"})
    kept, gone = Box(rooms, "kept", tar), Box(rooms, "gone", images.layer({"b": b"2"}))
    for box in (kept, gone):
        rooms.containers.mount(box.id)
        rooms.containers.unmount(box.id)
    assert len(list((rooms.root / "inits").iterdir())) == 2
    rooms.containers.remove(gone.id)
    rooms.containers.repair(())
    (left,) = (rooms.root / "inits").iterdir()
    assert left.name == images.digest(tar).removeprefix("sha256:")
    rooms.containers.mount(kept.id)
    rooms.containers.unmount(kept.id)


def test_the_kernel_s_own_words_are_in_the_error(rooms: Rooms, box: Box) -> None:
    (rooms.root / "containers/box/work").rmdir()
    (rooms.root / "containers/box/work").write_text("no folder")
    with pytest.raises(KnarrError, match=r"box.*overlay"):
        rooms.containers.mount(box.id)


def test_two_hundred_layers_make_one_root(rooms: Rooms) -> None:
    box = Box(rooms, "deep", *(images.layer({f"f{n}": b"x"}) for n in range(200)))
    with rooms.containers.mounted(box.id) as root:
        assert len(list(root.glob("f*"))) == 200


SCRIPT = """
echo new > /etc/new; rm /etc/passwd; mkdir -p /a/b/c; echo 1 > /a/b/c/f; rm -rf /var; mkdir /var
chmod 700 /root; echo x >> /etc/group; mkdir -p /usr/share/deep; echo y > /usr/share/deep/z
ln /a/b/c/f /a/hard; ln -s x /a/sym; mkfifo /tmp/p; touch /home; mv /bin/vi /bin/vim2
chmod 755 /bin/busybox; touch /var/www; chown 5:6 /home; rm /bin/awk; echo awk > /bin/awk
"""


@pytest.mark.needs("dockerd", "docker", "busybox")
def test_diff_and_commit_tell_what_docker_tells(rooms: Rooms) -> None:
    box = Box(rooms, "box", images.busybox_layer())
    with rooms.containers.mounted(box.id) as root:
        subprocess.run(["chroot", root, "/bin/sh", "-c", SCRIPT], check=True)
    ours = rooms.containers.layer(box.id)
    with docker_daemon() as docker:
        docker("load", stdin=images.busybox())
        docker("run", "--network", "none", "--name", "box", "busybox", "sh", "-c", SCRIPT)
        assert box.changes() == set(docker("diff", "box").splitlines())
        docker("commit", "box", "done:1")
        upper = docker.inspect("done:1")["GraphDriver"]["Data"]["UpperDir"]
        assert recipes.tree(rooms.layers.lower(ours.diff_id)) == recipes.tree(Path(upper))
