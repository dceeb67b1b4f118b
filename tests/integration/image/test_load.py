import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import AsyncIterator, Callable

import pytest
from backports import zstd

from knarr.errors import InvalidArgument, KnarrError, NotFound
from support import images
from support.rooms import Rooms, chunks

LAYERS = (
    images.layer({"etc": None, "etc/motd": b"ahoy", "bin": None, "bin/sh": b"#!", "a": b"a"}),
    images.layer({"etc/motd": b"changed", ".wh.a": b"", "new": b"n" * 3000}),
)
CONFIG = images.document(LAYERS, {"Cmd": ["sh"], "Labels": {"one": "1"}})
ARCHIVE = images.docker_archive(LAYERS, CONFIG, ("app:1", "app:2"))
EMPTY = {"layers/tmp"}


@pytest.mark.needs("root")
@pytest.mark.parametrize("step", [700, 1 << 20])
async def test_a_docker_archive_is_loaded_as_it_arrives(rooms: Rooms, step: int) -> None:
    messages = await rooms.load(ARCHIVE, step=step)
    assert messages[-1].stream == "Loaded image: app:1\nLoaded image: app:2\n"
    image = rooms.images.resolve("app:2")
    assert image.id == images.digest(CONFIG)
    assert image.raw == CONFIG
    assert [each.familiar for each in image.tags] == ["app:1", "app:2"]
    assert image.size_bytes == len(b"ahoy" + b"#!" + b"a" + b"changed") + 3000
    assert rooms.told() == ["load"]
    (first, _) = image.diff_ids
    assert (rooms.layers.lower(first) / "etc/motd").read_bytes() == b"ahoy"


@pytest.mark.needs("root")
@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress, bz2.compress, lzma.compress])
async def test_an_archive_may_be_compressed_as_a_whole(
    rooms: Rooms, pack: Callable[[bytes], bytes]
) -> None:
    await rooms.load(pack(ARCHIVE))
    assert rooms.images.resolve("app:1").id == images.digest(CONFIG)


@pytest.mark.needs("root")
@pytest.mark.parametrize("manifest_first", [True, False])
@pytest.mark.parametrize(
    ("media", "pack"),
    [("tar", bytes), ("tar+gzip", gzip.compress), ("tar+zstd", zstd.compress)],
)
async def test_an_oci_layout_is_loaded_with_layers_in_any_form(
    rooms: Rooms, media: str, pack: Callable[[bytes], bytes], manifest_first: bool
) -> None:
    packed = [pack(each) for each in LAYERS]
    archive = images.oci_archive(
        packed, CONFIG, "docker.io/library/oci:1", media=media, manifest_first=manifest_first
    )
    messages = await rooms.load(archive)
    assert messages[-1].stream == "Loaded image: oci:1\n"
    image = rooms.images.resolve("oci:1")
    assert image.id == images.digest(CONFIG)
    assert image.manifest
    assert rooms.blobs.has(image.manifest)
    kept = [rooms.blobs.has(images.digest(each)) for each in packed]  # type: ignore[arg-type]
    assert kept == [media != "tar"] * 2


@pytest.mark.needs("root")
async def test_loading_the_same_again_changes_nothing(rooms: Rooms) -> None:
    await rooms.load(ARCHIVE)
    before = rooms.files()
    await rooms.load(ARCHIVE)
    await rooms.load(images.oci_archive(LAYERS, CONFIG, "app:1"))
    assert rooms.files() - before == {f"blobs/sha256/{rooms.images.resolve('app:1').manifest[7:]}"}  # type: ignore[index]
    assert len(rooms.images.list({})) == 1


@pytest.mark.needs("root")
async def test_a_name_that_was_taken_moves_and_it_is_said(rooms: Rooms) -> None:
    await rooms.load(ARCHIVE)
    old = rooms.images.resolve("app:1").id
    other = images.document(LAYERS, {"Cmd": ["other"]})
    messages = await rooms.load(images.docker_archive(LAYERS, other, ("app:1",)))
    assert messages[-1].stream == (
        f"The image app:1 already exists, renaming the old one with ID {old} to empty string\n"
        "Loaded image: app:1\n"
    )
    assert rooms.images.resolve("app:1").id != old
    assert rooms.images.resolve("app:2").id == old


@pytest.mark.needs("root")
async def test_an_image_without_a_name_is_told_by_its_id(rooms: Rooms) -> None:
    messages = await rooms.load(images.docker_archive(LAYERS, CONFIG, ()))
    assert messages[-1].stream == f"Loaded image ID: {images.digest(CONFIG)}\n"


@pytest.mark.needs("root")
async def test_progress_is_told_unless_quiet_is_asked_for(rooms: Rooms) -> None:
    loud = await rooms.load(ARCHIVE)
    assert {each.status for each in loud[:-1]} == {"Loading layer"}
    assert loud[0].progress_detail is not None
    (only,) = [each async for each in rooms.images.load(chunks(ARCHIVE), quiet=True)]
    assert only.stream


@pytest.mark.needs("root")
async def test_a_layer_stored_twice_as_a_link_is_understood(rooms: Rooms) -> None:
    """As Docker before 25 wrote repeated layers."""
    layers = (LAYERS[0], LAYERS[1], LAYERS[0])
    config = images.document(layers, {})
    buffer = io.BytesIO()
    manifest = (
        b'[{"Config":"c.json","RepoTags":["twice:1"],'
        b'"Layers":["a/layer.tar","b/layer.tar","c/layer.tar"]}]'
    )
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (
            ("a/layer.tar", layers[0]), ("b/layer.tar", layers[1]),
            ("c.json", config), ("manifest.json", manifest),
        ):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("c/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../a/layer.tar"
        tar.addfile(link)
    await rooms.load(buffer.getvalue())
    image = rooms.images.resolve("twice:1")
    assert len(rooms.layers.lowers(image.diff_ids)) == 2


def swapped(archive: bytes) -> bytes:
    """The archive with a byte of a file's content changed."""
    return archive.replace(b"nnnnnnnn", b"nnnnXnnn", 1)


HOSTILE = {
    "empty": (b"", "empty"),
    "no archive": (b"hello" * 300, "invalid tar header"),
    "cut short": (ARCHIVE[:-20_000], "cut short"),
    "compressed and cut short": (gzip.compress(ARCHIVE)[:-100], "cut short"),
    "another content": (swapped(ARCHIVE), "invalid diffID for layer 1"),
    "another blob": (swapped(images.oci_archive(LAYERS, CONFIG, "x:1")), "digest mismatch"),
    "no manifest": (images.archive({"x/layer.tar": LAYERS[0]}), "does not contain a manifest"),
    "a missing layer": (
        images.archive({
            "c.json": CONFIG,
            "manifest.json": b'[{"Config":"c.json","Layers":["l/layer.tar","m/layer.tar"]}]',
        }),
        "does not contain l/layer.tar",
    ),
    "a layer too few": (
        images.archive({
            "c.json": CONFIG,
            "l/layer.tar": LAYERS[0],
            "manifest.json": b'[{"Config":"c.json","Layers":["l/layer.tar"]}]',
        }),
        "layers length mismatch: expected 2, got 1",
    ),
    "climbing": (images.archive({"../../etc/evil": b"x"}), "climbs out"),
    "absolute": (images.archive({"/etc/evil": b"x"}), "climbs out"),
    "broken manifest": (images.archive({"manifest.json": b"[{"}), "invalid JSON"),
    "a climbing layer": (
        images.docker_archive(
            (images.layer({"../../evil": b"x"}),),
            images.document((images.layer({"../../evil": b"x"}),), {}),
            ("evil:1",),
        ),
        "climbs out of the layer",
    ),
}  # fmt: skip


@pytest.mark.needs("root")
@pytest.mark.parametrize("case", HOSTILE)
async def test_what_is_broken_or_hostile_is_refused_and_leaves_nothing(
    rooms: Rooms, case: str
) -> None:
    archive, message = HOSTILE[case]
    with pytest.raises(InvalidArgument, match=message):
        await rooms.load(archive)
    assert rooms.files() == EMPTY
    assert rooms.images.list({}, everything=True) == ()
    assert rooms.events == []


@pytest.mark.needs("root")
async def test_a_refused_archive_leaves_what_was_there_before(rooms: Rooms) -> None:
    await rooms.load(ARCHIVE)
    before = rooms.files()
    with pytest.raises(InvalidArgument):
        await rooms.load(ARCHIVE[:-20_000])
    assert rooms.files() == before
    assert rooms.images.resolve("app:1").id == images.digest(CONFIG)


@pytest.mark.needs("root")
async def test_a_sender_who_fails_half_way_leaves_nothing(rooms: Rooms) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield ARCHIVE[: len(ARCHIVE) // 2]
        raise ConnectionResetError("gone")

    with pytest.raises(KnarrError, match="broken off"):
        async for _ in rooms.images.load(failing()):
            pass
    assert rooms.files() == EMPTY


@pytest.mark.needs("root")
async def test_a_listener_who_leaves_half_way_ends_the_load(rooms: Rooms) -> None:
    messages = rooms.images.load(chunks(ARCHIVE, 1000))
    await anext(messages)
    await messages.aclose()  # type: ignore[attr-defined]
    assert rooms.files() == EMPTY
    with pytest.raises(NotFound):
        rooms.images.resolve("app:1")
