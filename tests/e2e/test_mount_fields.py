"""Each field of a mount in ``POST /containers/create``: what is mounted, or how it is refused."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from knarr.spec.docker.container import Mount
from support.daemon import Daemon
from support.effects import Box, Boxes, Json, Refused, Row, fields, refused
from support.waiting import until

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox", "crun")

VOLUME, LABELLED, DRIVEN = "field-volume", "field-labelled", "field-driven"


def mount(target: str, kind: str, **rest: object) -> Json:
    return {"HostConfig": {"Mounts": [{"Target": target, "Type": kind, **rest}]}}


def bind(target: str, *, read_only: bool = False, **options: object) -> Json:
    return mount(target, "bind", Source="{folder}", ReadOnly=read_only, BindOptions=options)


def volume(target: str, source: str = VOLUME, **options: object) -> Json:
    return mount(target, "volume", Source=source, VolumeOptions=options)


def inside(script: str) -> Callable[[Box], object]:
    return lambda box: box.inside(script)


def rights(target: str) -> Callable[[Box], object]:
    """``ro`` or ``rw``; empty where nothing is mounted."""
    return lambda box: ([*box.mount(target).split(), *[""] * 6][5]).split(",")[0]


def kept(target: str, name: str) -> Callable[[Box], object]:
    """What inspect says of a mount as it was asked for."""

    def seen(box: Box) -> object:
        asked = box.told["HostConfig"]["Mounts"]
        return next(each[name] for each in asked if each["Target"] == target)

    return seen


def labels(box: Box) -> object:
    return box.daemon.ask("GET", f"/volumes/{LABELLED}")["Labels"]


ROWS = [
    Row(mount("/plain", "bind", Source="{folder}"), inside("cat /plain/file"), "of the host"),
    Row(bind("/ro", read_only=True), rights("/ro"), "ro"),
    Row(bind("/ro2", read_only=True), rights("/ro2/sub"), "ro"),
    Row(mount("/mac", "bind", Source="{folder}", Consistency="cached"),
        kept("/mac", "Consistency"), "cached"),
    Row(bind("/follows", Propagation="rslave"), lambda box: " master:" in box.mount("/follows")),
    Row(bind("/alone", NonRecursive=True), rights("/alone/sub"), ""),
    Row(mount("/new", "bind", Source="{folder}/made/now", BindOptions={"CreateMountpoint": True}),
        inside("ls -a /new"), ".\n.."),
    Row(bind("/top", read_only=True, ReadOnlyNonRecursive=True), rights("/top/sub"), "rw"),
    Row(bind("/deep", read_only=True, ReadOnlyForceRecursive=True, Propagation="rprivate"),
        rights("/deep/sub"), "ro"),
    Row(bind("/mine", IDMap=True), inside("stat -c %u /mine/file"), "0"),
    Row(mount("/kept", "volume", Source=VOLUME), inside("cat /kept/part/file"), "of the volume"),
    Row(volume("/var/www", "field-empty", NoCopy=True), inside("ls /var/www"), ""),
    Row(volume("/labelled", LABELLED, Labels={"of": "a field"}), labels, {"of": "a field"}),
    Row(volume("/driven", DRIVEN, DriverConfig={
            "Name": "local", "Options": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}),
        lambda box: "size=1024k" in box.mount("/driven")),
    Row(volume("/part", Subpath="part"), inside("cat /part/file"), "of the volume"),
    Row(volume("/ours", "field-owned", IDMap=True), inside("stat -c %u /ours/file"), "0"),
    Row(mount("/image", "image", Source="busybox", ImageOptions={"Subpath": "var/www"}),
        inside("cat /image/index.html"), "hello from busybox"),
    Row(mount("/quick", "tmpfs", TmpfsOptions={"SizeBytes": 1 << 20, "Mode": 0o700}),
        lambda box: "size=1024k,mode=700" in box.mount("/quick")),
    Row(mount("/runs", "tmpfs", TmpfsOptions={"Options": [["exec"]]}),
        lambda box: "noexec" in box.mount("/runs"), False),
    Row(mount("/runs2", "tmpfs"), lambda box: "noexec" in box.mount("/runs2")),
]  # fmt: skip

REFUSED = [
    Refused(mount("/x", "npipe", Source="/y"), 501, "npipe"),
    Refused(mount("/x", "cluster", Source="y"), 501, "cluster"),
    Refused(mount("/x", "odd"), 400, "mount type unknown"),
    Refused(volume("/x", DriverConfig={"Name": "nfs"}), 404, "nfs"),
    Refused(bind("/x", Propagation="upwards"), 400, "invalid propagation mode: upwards"),
    Refused(mount("/x", "tmpfs", TmpfsOptions={"Options": [["fast"]]}), 400, "fast"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A mount that tells others of what is mounted in it, with a file of somebody and a mount."""
    folder = tmp_path_factory.mktemp("fields")
    mounts = (
        ("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(folder)),
        ("--make-rshared", str(folder)),
    )
    for words in mounts:
        subprocess.run(["mount", *words], check=True)
    try:
        (folder / "file").write_text("of the host\n")
        for path in (folder, folder / "file"):
            os.chown(path, 1234, 1234)
        (folder / "sub").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder / "sub")], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-lR", str(folder)], check=True)


@pytest.fixture(scope="module")
def boxes(daemon: Daemon, folder: Path) -> Iterator[Boxes]:
    for name, place, owner in ((VOLUME, "part/file", 0), ("field-owned", "file", 1234)):
        made = daemon.ask("POST", "/volumes/create", {"Name": name})
        file = Path(made["Mountpoint"], place)
        file.parent.mkdir(exist_ok=True)
        file.write_text("of the volume\n")
        for path in (file, file.parent):
            os.chown(path, owner, owner)
    script = "echo ready; while :; do sleep 1000; done"
    bases: dict[str, Json] = {"plain": {"Cmd": ["sh", "-c", script]}}
    boxes = Boxes(daemon, ROWS, bases, {"folder": str(folder)})
    yield boxes
    boxes.remove()
    for name in (VOLUME, LABELLED, DRIVEN, "field-empty", "field-owned"):
        until(lambda name=name: daemon.answer("DELETE", f"/volumes/{name}")[0] in (204, 404))  # type: ignore[misc]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: _target(row.sent))
def test_a_field_of_a_mount_has_its_effect(boxes: Boxes, row: Row) -> None:
    assert row.seen(boxes[row.box]) == row.expected


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.words)
def test_a_mount_is_refused_in_words(daemon: Daemon, folder: Path, row: Refused) -> None:
    [asked] = row.sent["HostConfig"]["Mounts"]
    if asked.get("Source"):
        asked = {**asked, "Source": asked["Source"].replace("{folder}", str(folder))}
    body = {"Image": "busybox", "HostConfig": {"Mounts": [asked]}}
    answer = daemon.answer("POST", "/containers/create", body)
    assert refused(row, answer), answer


def test_no_field_of_a_mount_is_without_a_row() -> None:
    covered: set[str] = set()
    for row in ROWS:
        covered |= fields(Mount, row.sent["HostConfig"]["Mounts"][0])
    assert fields(Mount) == covered


def _target(sent: Json) -> str:
    [asked] = sent["HostConfig"]["Mounts"]
    return str(asked["Target"])
