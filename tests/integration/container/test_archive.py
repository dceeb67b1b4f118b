import gzip
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from knarr.container.archive import check_writable, look, open_root, read, with_mounts, write
from knarr.container.paths import followed
from knarr.errors import InvalidArgument, KnarrError, NotFound
from knarr.kernel.mount import mounts_beneath
from knarr.snapshot.extract import Manner
from knarr.spec.docker.container import HostConfig
from knarr.spec.record import MountPlan
from support.dockerd import Docker
from support.images import archive as plain_archive

pytestmark = pytest.mark.needs("root")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A container's root."""
    root = tmp_path / "root"
    (root / "etc" / "app").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "etc" / "app" / "settings").write_text("colour=red\n")
    os.link(root / "etc" / "app" / "settings", root / "etc" / "same")
    (root / "etc" / "hosts").symlink_to("/etc/app/settings")
    (root / "config").symlink_to("etc/app")
    (root / "out").symlink_to("/../../../../secret")
    (root / "broken").symlink_to("/nowhere/at/all")
    (root / "tmp").mkdir(mode=0o777)
    (root / "tmp").chmod(0o1777)
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o4755)
    return root


@pytest.fixture
def root(tree: Path) -> Iterator[int]:
    with open_root(str(tree)) as opened:
        yield opened


def packed(root: int, path: str) -> bytes:
    pieces: list[bytes] = []
    _, pack = read(root, path, "web")
    pack(pieces.append)
    return b"".join(pieces)


def members(root: int, path: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(packed(root, path))) as tar:
        return {member.name: member for member in tar}


def sent(content: bytes, step: int = 700) -> Callable[[], bytes]:
    """The archive as it arrives: in chunks that end anywhere."""
    stream = io.BytesIO(content)
    return lambda: stream.read(step)


def archive(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", **facts: int
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info


MANNER = Manner()


def test_a_file_is_looked_at(root: int) -> None:
    found = look(root, "/program", "web")
    assert (found.name, found.size, found.mode) == ("program", 10, 1 << 23 | 0o755)
    assert look(root, "/etc", "web").mode & 1 << 31
    assert look(root, "/", "web").name == "/"


def test_a_link_is_looked_at_and_where_it_leads_inside(root: int) -> None:
    found = look(root, "/etc/hosts", "web")
    assert found.mode & 1 << 27
    assert found.link_target == "/etc/app/settings"
    assert look(root, "/config", "web").link_target == "/etc/app"
    assert look(root, "/config/", "web").mode & 1 << 31
    assert look(root, "/out", "web").link_target == "/secret"
    assert look(root, "/broken", "web").link_target == "/nowhere/at/all"


def test_links_that_lead_in_circles_end(tree: Path, root: int) -> None:
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")
    assert followed(root, "/a").startswith("/")
    assert look(root, "/a", "web").mode & 1 << 27


@pytest.mark.parametrize("path", ["/nothing", "/etc/passwd/below", "/out/key"])
def test_what_is_not_there_is_said(tmp_path: Path, root: int, path: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("key")
    with pytest.raises(NotFound, match=rf"^Could not find the file {path} in container web$"):
        look(root, path, "web")
    with pytest.raises(NotFound):
        read(root, path, "web")


def test_a_directory_comes_with_its_name(root: int) -> None:
    found = members(root, "/etc")
    assert set(found) == {
        "etc", "etc/app", "etc/app/settings", "etc/hosts", "etc/passwd", "etc/same",
    }  # fmt: skip
    assert found["etc/hosts"].linkname == "/etc/app/settings"
    assert found["etc/same"].islnk()
    assert found["etc/same"].linkname == "etc/app/settings"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/etc/app/.", {".", "./settings"}),
        ("/config/", {"config", "config/settings"}),
        ("/config", {"config"}),
        ("/etc/passwd", {"passwd"}),
        ("etc/app", {"app", "app/settings"}),
    ],
)
def test_names_follow_what_was_asked_for(root: int, path: str, names: set[str]) -> None:
    assert set(members(root, path)) == names


def test_the_content_is_whole(root: int) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(root, "/etc"))) as tar:
        file = tar.extractfile("etc/passwd")
        assert file is not None
        assert file.read() == b"root:x:0:0::/root:/bin/sh\n"


@pytest.mark.needs("docker", "dockerd", "busybox")
@pytest.mark.parametrize("path", ["/bin/sh", "/etc", "/etc/.", "/etc/", "/var/www/index.html", "/"])
def test_archives_are_as_dockers(docker: Docker, rootfs: Path, path: str) -> None:
    container = docker.text("create", "--network", "none", "busybox").strip()
    try:
        theirs_bytes = docker("cp", f"{container}:{path}", "-").stdout
    finally:
        docker("rm", container)
    own = {"dev", "proc", "sys", "etc", "", ".dockerenv"}  # which Docker adds to

    def listing(content: bytes) -> set[tuple[str, bytes, int, str]]:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            return {
                (member.name.lstrip("/"), member.type, member.mode & 0o7777, member.linkname)
                for member in tar
                if path != "/" or member.name.lstrip("/").split("/")[0] not in own
                if not member.name.endswith(("/hosts", "/hostname", "/resolv.conf", "/mtab"))
            }

    with open_root(str(rootfs)) as opened:
        ours = packed(opened, path)
    assert listing(ours) == listing(theirs_bytes)


def test_an_archive_is_extracted(tree: Path, root: int) -> None:
    content = archive(
        (entry("sub", tarfile.DIRTYPE, mode=0o750, mtime=1000), b""),
        (entry("sub/file", mode=0o640, uid=5, gid=6, mtime=2000), b"x" * 5000),
        (entry("sub/again", tarfile.LNKTYPE, "sub/file"), b""),
        (entry("sub/link", tarfile.SYMTYPE, "../../anywhere"), b""),
        (entry("sub/pipe", tarfile.FIFOTYPE, mode=0o622), b""),
        (entry("implied/deep/file"), b"y"),
    )
    write(root, "/tmp", "web", sent(content), MANNER)
    sub = tree / "tmp" / "sub"
    assert (sub / "file").read_bytes() == b"x" * 5000
    facts = (sub / "file").stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o7777) == (5, 6, 0o640)
    assert facts.st_mtime == 2000
    assert sub.stat().st_mtime == 1000
    assert (sub / "again").samefile(sub / "file")
    assert os.readlink(sub / "link") == "../../anywhere"
    assert stat.S_ISFIFO((sub / "pipe").stat().st_mode)
    assert (tree / "tmp/implied/deep/file").read_bytes() == b"y"


def test_a_compressed_archive_is_extracted(tree: Path, root: int) -> None:
    packed = gzip.compress(plain_archive({"file": b"content"}))
    write(root, "/config", "web", sent(packed, 3), MANNER)
    assert (tree / "etc/app/file").read_bytes() == b"content"


def test_an_owner_can_be_given(tree: Path, root: int) -> None:
    content = archive((entry("file", uid=5, gid=6), b""))
    write(root, "/tmp", "web", sent(content), Manner(owner=(70, 71)))
    facts = (tree / "tmp" / "file").stat()
    assert (facts.st_uid, facts.st_gid) == (70, 71)


def test_what_is_there_is_replaced(tree: Path, root: int) -> None:
    (tree / "tmp" / "a").mkdir()
    (tree / "tmp" / "a" / "x").write_text("old")
    (tree / "tmp" / "b").symlink_to("/etc/passwd")
    content = archive((entry("a"), b"file now"), (entry("b"), b"file too"))
    write(root, "/tmp", "web", sent(content), MANNER)
    assert (tree / "tmp" / "a").read_bytes() == b"file now"
    assert (tree / "tmp" / "b").read_bytes() == b"file too"
    assert (tree / "etc" / "passwd").read_text().startswith("root:")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            archive((entry("app"), b"")),
            "cannot overwrite directory 'app' with non-directory '/etc'",
        ),
        (
            archive((entry("passwd", tarfile.DIRTYPE), b"")),
            "cannot overwrite non-directory 'passwd' with directory '/etc'",
        ),
    ],
)
def test_kinds_are_kept_when_asked(root: int, content: bytes, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        write(root, "/etc", "web", sent(content), Manner(keep_kinds=True))
    assert str(caught.value) == message


def test_where_to_extract_must_be_a_directory(root: int) -> None:
    with pytest.raises(InvalidArgument, match=r"^extraction point is not a directory$"):
        write(root, "/etc/passwd", "web", sent(b""), MANNER)
    with pytest.raises(NotFound, match="Could not find the file /no in container web"):
        write(root, "/no", "web", sent(b""), MANNER)


@pytest.mark.parametrize(
    "content",
    [
        archive((entry("../../evil"), b"x")),
        archive((entry("a/../../evil"), b"x")),
        archive((entry("h", tarfile.LNKTYPE, "../etc/passwd"), b"")),
        plain_archive({"file": b"x" * 4000})[:2000],
        b"no archive at all" * 100,
    ],
)
def test_hostile_and_broken_archives_are_refused(tree: Path, root: int, content: bytes) -> None:
    with pytest.raises(InvalidArgument):
        write(root, "/tmp", "web", sent(content), MANNER)
    assert not list(tree.rglob("evil"))


def test_links_in_the_root_are_followed_inside_of_it_alone(tmp_path: Path, root: int) -> None:
    """Both the folder to extract to and what lies beneath may be links that mean the host."""
    outside = tmp_path / "secret"
    outside.mkdir()
    (tmp_path / "root" / "secret").mkdir()
    content = archive((entry("out/file"), b"x"))
    write(root, "/", "web", sent(content), MANNER)
    assert list(outside.iterdir()) == []
    assert (tmp_path / "root" / "secret" / "file").read_bytes() == b"x"


def test_a_link_that_comes_with_the_archive_leads_nowhere_else(tmp_path: Path, root: int) -> None:
    (tmp_path / "secret").mkdir()
    content = archive(
        (entry("door", tarfile.SYMTYPE, f"{tmp_path}/secret"), b""), (entry("door/file"), b"x")
    )
    with pytest.raises(KnarrError):
        write(root, "/tmp", "web", sent(content), MANNER)
    assert list((tmp_path / "secret").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/data/sub", "mounted volume is marked read-only"),
        ("/data/open/sub", None),
        ("/etc", "container rootfs is marked read-only"),
        ("/door", "mounted volume is marked read-only"),
    ],
)
def test_read_only_places_are_refused(
    tree: Path, root: int, path: str, message: str | None
) -> None:
    (tree / "door").symlink_to("/data")
    plans = (
        MountPlan(kind="volume", destination="/data", read_only=True),
        MountPlan(kind="volume", destination="/data/open"),
    )
    host = HostConfig(readonly_rootfs=True)
    if message is None:
        check_writable(root, path, plans, host)
        return
    with pytest.raises(InvalidArgument, match=message):
        check_writable(root, path, plans, host)


def test_volumes_of_a_stopped_container_are_there_meanwhile(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "hosts").write_text("from the host")
    plans = (
        MountPlan(kind="volume", destination="/data/inner", source=str(tmp_path / "volume")),
        MountPlan(kind="bind", destination="/etc/myhosts", source=str(tmp_path / "hosts")),
        MountPlan(kind="bind", destination="/gone", source=str(tmp_path / "gone")),
        MountPlan(kind="tmpfs", destination="/run"),
    )
    with with_mounts(str(tree), plans) as rootfs, open_root(rootfs) as root:
        write(root, "/data/inner", "web", sent(plain_archive({"file": b"kept"})), MANNER)
        assert set(members(root, "/etc/myhosts")) == {"myhosts"}
    assert (tmp_path / "volume" / "file").read_bytes() == b"kept"
    assert list((tree / "data" / "inner").iterdir()) == []
    assert mounts_beneath(str(tree)) == []


def test_a_running_root_is_read_with_what_is_mounted_in_it(tmp_path: Path) -> None:
    """Stood in for by a process in a mount namespace of its own."""
    script = f"mount -t tmpfs x {tmp_path} && echo hello > {tmp_path}/inner && echo up && read x"
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    try:
        with open_root(f"/proc/{process.pid}/root") as root:
            found = members(root, f"{tmp_path}/inner")
    finally:
        process.communicate(b"\n")
    assert set(found) == {"inner"}
    assert not (tmp_path / "inner").exists()
