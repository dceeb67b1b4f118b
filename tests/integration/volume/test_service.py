import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from knarr.errors import Conflict, InvalidArgument, KnarrError, NotFound
from knarr.events import Event, EventBus
from knarr.kernel import mount as kernel
from knarr.spec.docker.volume import VolumeCreate
from knarr.spec.record import MountPlan
from knarr.store import Database
from knarr.volume import VolumeService

pytestmark = pytest.mark.needs("root")

ONE, TWO = "1" * 64, "2" * 64


class World:
    """A service on a data root of its own, and the events it told of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bus = EventBus()
        self.events: list[Event] = []
        self.bus.on_event(self.events.append)
        self.db = Database(root / "knarr.db", self.bus)
        self.volumes = self.service()

    def service(self) -> VolumeService:
        """As after a restart of the daemon."""
        return VolumeService(db=self.db, data_root=self.root / "data", run_root=self.root / "run")

    def told(self) -> list[tuple[str, str]]:
        return [(event.action, event.actor) for event in self.events]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.volumes.restore((), ())
    yield world
    for place in kernel.mounts_beneath(str(tmp_path))[::-1]:
        kernel.unmount(place, lazy=True)
    world.db.close()


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A container's root with something at /app/data."""
    root = tmp_path / "rootfs"
    (root / "app" / "data").mkdir(parents=True)
    (root / "app" / "data" / "seed").write_text("seed")
    os.chown(root / "app" / "data" / "seed", 70, 70)
    os.chown(root / "app" / "data", 70, 70)
    (root / "app" / "data").chmod(0o700)
    return root


def plan(name: str, **changes: object) -> MountPlan:
    wanted = MountPlan(kind="volume", destination="/app/data", name=name, fill=True)
    return replace(wanted, **changes)


def test_a_volume_is_made_once(world: World) -> None:
    body = VolumeCreate(name="data", labels={"a": "b"})
    first = world.volumes.create(body)
    assert first.mountpoint == str(world.root / "data/volumes/data/_data")
    assert Path(first.mountpoint).is_dir()
    assert (first.driver, first.scope, first.labels) == ("local", "local", {"a": "b"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.created_at)
    assert world.volumes.create(VolumeCreate(name="data")) == first
    assert world.told() == [("create", "data")]


def test_an_anonymous_volume_has_a_long_name(world: World) -> None:
    volume = world.volumes.create(VolumeCreate())
    assert re.fullmatch("[0-9a-f]{64}", volume.name)
    assert world.volumes.get(volume.name).anonymous


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (VolumeCreate(name="!"), InvalidArgument, "volume name is too short"),
        (VolumeCreate(name="a b"), InvalidArgument, "includes invalid characters"),
        (VolumeCreate(name="ab", driver="cloud"), NotFound, 'plugin "cloud" not found'),
        (VolumeCreate(name="ab", driver_opts={"x": "y"}), InvalidArgument, "invalid option"),
        (VolumeCreate(name="ab", cluster_volume_spec={}), KnarrError, "swarm"),
    ],
)
def test_a_wrong_request_leaves_nothing(
    world: World, body: VolumeCreate, kind: type[KnarrError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        world.volumes.create(body)
    assert world.volumes.all() == ()
    assert [path.name for path in (world.root / "data/volumes").iterdir()] == []


async def test_a_volume_in_use_is_not_removed(world: World) -> None:
    world.volumes.create(VolumeCreate(name="data"))
    world.volumes.hold("data", ONE)
    with pytest.raises(Conflict) as caught:
        await world.volumes.remove("data", force=True)
    assert str(caught.value) == f"remove data: volume is in use - [{ONE}]"
    world.volumes.release("data", ONE)
    await world.volumes.remove("data")
    assert not (world.root / "data/volumes/data").exists()
    assert world.told() == [("create", "data"), ("destroy", "data")]


async def test_what_is_not_there_is_said(world: World) -> None:
    with pytest.raises(NotFound, match=r"^get data: no such volume$"):
        world.volumes.inspect("data")
    with pytest.raises(NotFound, match=r"^get data: no such volume$"):
        await world.volumes.remove("data")
    await world.volumes.remove("data", force=True)
    with pytest.raises(NotFound):
        world.volumes.hold("data", ONE)


def test_lists_are_filtered(world: World) -> None:
    world.volumes.create(VolumeCreate(name="one", labels={"a": "1"}))
    world.volumes.create(VolumeCreate(name="two"))
    world.volumes.hold("two", ONE)

    def names(**filters: tuple[str, ...]) -> list[str]:
        return [volume.name for volume in world.volumes.list(filters).volumes]

    assert names() == ["one", "two"]
    assert names(dangling=("true",)) == ["one"]
    assert names(dangling=("false",)) == ["two"]
    assert names(label=("a",)) == ["one"]
    with pytest.raises(InvalidArgument, match="invalid filter 'size'"):
        names(size=("1",))


async def test_prune_takes_anonymous_ones_and_named_ones_only_when_asked(world: World) -> None:
    anonymous = world.volumes.create(VolumeCreate()).name
    (Path(world.volumes.get(anonymous).mountpoint) / "file").write_bytes(b"x" * 1000)
    world.volumes.create(VolumeCreate(name="named"))
    world.volumes.create(VolumeCreate(name="held"))
    world.volumes.hold("held", ONE)
    memory = {"type": "tmpfs", "device": "tmpfs"}
    world.volumes.create(VolumeCreate(name="memory", driver_opts=memory))
    pruned = await world.volumes.prune({})
    assert (pruned.volumes_deleted, pruned.space_reclaimed) == ((anonymous,), 1000)
    assert world.events[-1].attributes == {"reclaimed": "1000"}
    pruned = await world.volumes.prune({"all": ("true",)})
    assert pruned.volumes_deleted == ("named",)


async def test_an_empty_volume_gets_what_the_image_has(world: World, rootfs: Path) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    await world.volumes.fill(plan("data"), str(rootfs))
    data = Path(volume.mountpoint)
    assert (data / "seed").read_text() == "seed"
    assert (data / "seed").stat().st_uid == 70
    assert (data.stat().st_uid, data.stat().st_mode & 0o7777) == (70, 0o700)
    (data / "seed").write_text("grown")
    await world.volumes.fill(plan("data"), str(rootfs))
    assert (data / "seed").read_text() == "grown"


async def test_filling_does_not_take_a_volume_from_who_has_it(world: World, rootfs: Path) -> None:
    """A container that runs has the directory itself: it must see what another's start copied."""
    volume = world.volumes.create(VolumeCreate(name="data"))
    await world.volumes.mount(plan("data", fill=False), ONE)
    held = os.open(volume.mountpoint, os.O_RDONLY | os.O_DIRECTORY)
    try:
        await world.volumes.fill(plan("data"), str(rootfs))
        assert os.listdir(held) == ["seed"]
    finally:
        os.close(held)


@pytest.mark.parametrize("changes", [{"fill": False}, {"destination": "/nowhere"}])
async def test_a_volume_stays_empty_where_nothing_is_to_be_copied(
    world: World, rootfs: Path, changes: dict[str, object]
) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    wanted = MountPlan(**{"kind": "volume", "destination": "/app/data", "name": "data",
                          "fill": True, **changes})  # type: ignore[arg-type]  # fmt: skip
    await world.volumes.fill(wanted, str(rootfs))
    assert list(Path(volume.mountpoint).iterdir()) == []


async def test_a_destination_that_is_a_link_stays_inside_the_image(
    world: World, rootfs: Path, tmp_path: Path
) -> None:
    """The link points to a directory of the host; in the image there is none by that name."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("key")
    (rootfs / "out").symlink_to(secret)
    volume = world.volumes.create(VolumeCreate(name="data"))
    wanted = MountPlan(kind="volume", destination="/out", name="data", fill=True)
    await world.volumes.fill(wanted, str(rootfs))
    assert list(Path(volume.mountpoint).iterdir()) == []


async def test_mounting_is_told_and_counted(world: World) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    wanted = plan("data", read_only=True)
    assert await world.volumes.mount(wanted, ONE) == volume.mountpoint
    assert world.volumes.users("data") == (ONE,)
    assert dict(world.events[-1].attributes) == {
        "driver": "local", "container": ONE, "destination": "/app/data", "read/write": "false",
        "propagation": "",
    }  # fmt: skip
    await world.volumes.unmount(wanted, ONE)
    assert world.told()[-2:] == [("mount", "data"), ("unmount", "data")]
    assert world.volumes.users("data") == (ONE,)


async def test_driver_options_are_mounted_for_the_first_and_unmounted_after_the_last(
    world: World,
) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=700"}
    volume = world.volumes.create(VolumeCreate(name="fast", driver_opts=options))
    for container in (ONE, TWO):
        await world.volumes.mount(plan("fast"), container)
    data = Path(volume.mountpoint)
    (data / "file").write_text("x")
    assert os.statvfs(data).f_blocks * os.statvfs(data).f_frsize == 1 << 20
    await world.volumes.unmount(plan("fast"), ONE)
    assert (data / "file").exists()
    await world.volumes.unmount(plan("fast"), TWO)
    assert not kernel.is_mount_point(str(data))


async def test_a_bind_of_driver_options_can_be_read_only(world: World, tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    options = {"type": "none", "device": str(tmp_path / "srv"), "o": "bind,ro"}
    volume = world.volumes.create(VolumeCreate(name="bound", driver_opts=options))
    await world.volumes.mount(plan("bound"), ONE)
    with pytest.raises(OSError, match="Read-only"):
        (Path(volume.mountpoint) / "file").write_text("x")
    await world.volumes.unmount(plan("bound"), ONE)
    world.volumes.release("bound", ONE)
    await world.volumes.remove("bound")
    assert (tmp_path / "srv").is_dir()


async def test_what_cannot_be_mounted_says_why(world: World) -> None:
    options = {"type": "ext4", "device": "/dev/nothing", "o": "password=secret"}
    world.volumes.create(VolumeCreate(name="broken", driver_opts=options))
    with pytest.raises(KnarrError, match="failed to mount local volume: mount ext4 /dev/noth") as e:
        await world.volumes.mount(plan("broken"), ONE)
    assert "secret" not in str(e.value)
    assert world.volumes.users("broken") == ()
    options = {"type": "nosuchfs", "device": "/dev/null"}
    world.volumes.create(VolumeCreate(name="unknown", driver_opts=options))
    with pytest.raises(KnarrError, match="this kernel knows no file system of type nosuchfs"):
        await world.volumes.mount(plan("unknown"), ONE)


async def test_a_part_of_a_volume_is_mounted(world: World) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    (Path(volume.mountpoint) / "part").mkdir()
    (Path(volume.mountpoint) / "part" / "file").write_text("x")
    wanted = plan("data", subpath="part")
    source = Path(await world.volumes.mount(wanted, ONE))
    assert (source / "file").read_text() == "x"
    await world.volumes.unmount(wanted, ONE)
    assert not source.exists()


async def test_a_part_that_leads_out_or_is_missing_is_refused(world: World, tmp_path: Path) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    (Path(volume.mountpoint) / "out").symlink_to(tmp_path)
    for subpath in ("missing", "out"):
        with pytest.raises(InvalidArgument, match=f"cannot access path {subpath} in volume data"):
            await world.volumes.mount(plan("data", subpath=subpath), ONE)
    assert not kernel.mounts_beneath(str(world.root / "run"))


async def test_a_restart_lets_go_of_what_is_no_more(world: World) -> None:
    options = {"type": "tmpfs", "device": "tmpfs"}
    volume = world.volumes.create(VolumeCreate(name="fast", driver_opts=options))
    world.volumes.create(VolumeCreate(name="data"))
    await world.volumes.mount(plan("fast"), ONE)
    await world.volumes.mount(plan("data"), TWO)
    after = world.service()
    after.restore(existing={ONE}, running={ONE})
    assert kernel.is_mount_point(volume.mountpoint)
    assert (after.users("fast"), after.users("data")) == ((ONE,), ())
    after.restore(existing={ONE}, running=())
    assert not kernel.is_mount_point(volume.mountpoint)
    assert after.users("fast") == (ONE,)


def test_a_removal_that_a_crash_ended_did_not_happen_or_is_finished(world: World) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    (Path(volume.mountpoint) / "file").write_text("x")
    trash = world.root / "data/volumes/.trash"
    trash.mkdir()
    (world.root / "data/volumes/data").rename(trash / "data@00")
    (trash / "gone@11").mkdir()
    world.service().restore((), ())
    assert (Path(volume.mountpoint) / "file").read_text() == "x"
    assert list(trash.iterdir()) == []


async def test_a_clone_is_a_volume_of_its_own(world: World) -> None:
    volume = world.volumes.create(VolumeCreate(name="data", labels={"a": "b"}))
    (Path(volume.mountpoint) / "file").write_text("x")
    copied = await world.volumes.clone("data", "copy")
    assert (Path(copied.mountpoint) / "file").read_text() == "x"
    assert copied.labels == {"a": "b"}
    with pytest.raises(Conflict, match="volume copy exists already"):
        await world.volumes.clone("data", "copy")


async def test_a_volume_gets_another_name(world: World) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    (Path(volume.mountpoint) / "file").write_text("x")
    world.volumes.hold("data", ONE)
    with pytest.raises(Conflict, match="volume is in use"):
        await world.volumes.rename("data", "other")
    world.volumes.release("data", ONE)
    await world.volumes.rename("data", "other")
    assert (Path(world.volumes.get("other").mountpoint) / "file").read_text() == "x"
    with pytest.raises(NotFound):
        world.volumes.get("data")


async def test_usage_tells_sizes_and_users(world: World) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    (Path(volume.mountpoint) / "file").write_bytes(b"x" * 77)
    world.volumes.hold("data", ONE)
    (found,) = await world.volumes.usage()
    assert found.usage_data is not UNSET
    assert (found.usage_data.size, found.usage_data.ref_count) == (77, 1)


def test_a_creation_is_taken_back(world: World) -> None:
    _, is_new = world.volumes.found_or_created("data")
    assert is_new
    world.volumes.forget("data")
    assert world.volumes.all() == ()
    assert not (world.root / "data/volumes/data").exists()
    world.volumes.forget("data")


async def test_a_volume_goes_out_as_a_tar_and_comes_in_again(world: World) -> None:
    volume = world.volumes.create(VolumeCreate(name="data"))
    (Path(volume.mountpoint) / "deep").mkdir()
    (Path(volume.mountpoint) / "deep" / "file").write_text("x")
    os.chown(Path(volume.mountpoint) / "deep" / "file", 70, 71)
    pieces: list[bytes] = []
    world.volumes.pack("data")(pieces.append)
    arriving = iter(pieces)
    copied = await world.volumes.import_("other", lambda: next(arriving, b""))
    found = Path(copied.mountpoint) / "deep" / "file"
    assert (found.read_text(), found.stat().st_uid, found.stat().st_gid) == ("x", 70, 71)
    with pytest.raises(Conflict, match="has data already"):
        await world.volumes.import_("other", lambda: b"")


async def test_a_broken_archive_leaves_no_volume(world: World) -> None:
    arriving = iter([b"no archive" * 200])
    with pytest.raises(InvalidArgument):
        await world.volumes.import_("new", lambda: next(arriving, b""))
    assert world.volumes.all() == ()
