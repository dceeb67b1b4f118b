"""Images looked into: layers, differences, who shares what; on both drivers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knarr.errors import NotFound
from knarr.ids import ContainerId
from knarr.image import ImageUser
from knarr.snapshot import Snapshotter, TarIndex, Unpacked
from support import images
from support.rooms import Rooms

pytestmark = pytest.mark.needs("root", "overlay", "erofs")
BASE = images.layer({"etc": None, "etc/motd": b"ahoy", "big": b"b" * 5000, "name\udcff": b"odd"})
CHANGE = images.layer({"etc/motd": b"hi!!", ".wh.big": b"", "bin": "etc"})
ONE = images.document((BASE,), {"Env": ["A=1", "B=2"], "Cmd": ["x"]})
TWO = images.document(
    (BASE, CHANGE), {"Env": ["A=1", "B=3"], "Labels": {"l": "v"}},
    history=[{"created_by": "first"}, {"created_by": "ENV B=3", "empty_layer": True},
             {"created_by": "second"}],
)  # fmt: skip


@pytest.fixture(params=["tar+erofs", "unpacked"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rooms]:
    drivers: list[Snapshotter] = [Unpacked()]
    if request.param == "tar+erofs":
        drivers.insert(0, TarIndex(tmp_path / "run", detached=True))
    made = Rooms(tmp_path / "data", drivers)
    await made.load(images.docker_archive((BASE,), ONE, ("one:1",)))
    await made.load(images.docker_archive((BASE, CHANGE), TWO, ("two:1", "too:2")))
    yield made
    made.layers.close()
    made.close()


async def test_show_tells_of_each_step_and_what_is_wasted(store: Rooms) -> None:
    shown = await store.images.looking.show("two:1", files=True)
    assert shown.names == ("too:2", "two:1")
    assert (shown.size, shown.wasted) == (5011, 5004)
    first, env, second = shown.steps
    assert (first.created_by, first.added, first.wasted) == ("first", 4, 5004)
    assert (env.diff_id, env.created_by, env.size) == ("", "ENV B=3", 0)
    assert [(each.kind, each.path) for each in second.files] == [
        ("D", "/big"), ("A", "/bin"), ("C", "/etc/motd"),
    ]  # fmt: skip
    assert [(each.path, each.size) for each in shown.wasted_paths] == [
        ("/big", 5000), ("/etc/motd", 4),
    ]  # fmt: skip
    assert "/name\\udcff" in [each.path for each in first.files]
    assert (await store.images.looking.show("two:1")).steps[0].files == ()


async def test_diff_tells_of_files_and_settings(store: Rooms) -> None:
    found = await store.images.looking.diff("one:1", "two:1")
    assert [(each.kind, each.path, each.what) for each in found.files] == [
        ("D", "/big", ()), ("A", "/bin", ()), ("C", "/etc/motd", ("content",)),
    ]  # fmt: skip
    assert [(each.name, each.before, each.after) for each in found.settings] == [
        ("Cmd", '["x"]', ""), ("Env.B", '"2"', '"3"'), ("Labels.l", "", '"v"'),
    ]  # fmt: skip
    assert (found.shared_layers, found.before_layers, found.after_layers) == (1, 1, 2)
    same = await store.images.looking.diff("one:1", "one:1")
    assert (same.files, same.settings) == ((), ())
    with pytest.raises(NotFound):
        await store.images.looking.diff("one:1", "nosuch")


async def test_what_a_removal_would_free_is_what_it_frees(store: Rooms) -> None:
    def name_of(holder: str) -> str:
        return holder.replace("/", " ")

    told = {each.names[0]: each for each in store.images.sharing(name_of).images}
    assert told["one:1"].freed == 0
    assert told["one:1"].layers[0].shared_with == ("too:2", "two:1")
    assert told["too:2"].freed == len(CHANGE)
    everything = store.images.sharing(name_of)
    assert (everything.dangling, everything.unused) == (0, len(BASE) + len(CHANGE))
    one = store.images.resolve("one:1").id
    store.users.by_image[one] = (ImageUser(id=ContainerId("c" * 64), running=True),)
    told = {each.names[0]: each for each in store.images.sharing(name_of).images}
    assert told["one:1"].kept_by == ("container " + "c" * 64,)
    for name in ("two:1", "too:2"):
        await store.images.remove(name)
    (left,) = store.images.sharing(name_of).images
    assert left.freed == len(BASE)


async def test_an_image_is_found_for_its_own_platform_only(store: Rooms) -> None:
    from knarr.spec.oci.platform import parse_platform

    fits, other = parse_platform("linux/amd64"), parse_platform("linux/arm64")
    assert store.images.inspect("one:1", platform=fits).architecture == "amd64"
    assert store.images.history("one:1", platform=fits)
    for call in (store.images.inspect, store.images.history):
        with pytest.raises(NotFound, match=r"does not provide the specified platform"):
            call("one:1", platform=other)
    (shown,) = store.images.list({"reference": ("one",)}, manifests=True)
    assert isinstance(shown.manifests, tuple)
    (manifest,) = shown.manifests
    assert manifest.image_data is not None
    assert manifest.image_data.platform is not None
    assert (manifest.kind, manifest.available) == ("image", True)
    assert manifest.image_data.platform.architecture == "amd64"
