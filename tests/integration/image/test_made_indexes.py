"""Images for several platforms that were made here: named together, pushed, saved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knarr.errors import InvalidArgument, KnarrError
from knarr.ids import ImageId
from knarr.image import machine
from knarr.image.annotations import Annotations
from knarr.reference import Reference
from knarr.registry.server.serve import running
from knarr.registry.server.settings import Settings
from knarr.spec.document import decode
from knarr.spec.oci.image import OCI_INDEX, OCI_MANIFEST, Index
from knarr.spec.oci.platform import parse_platform
from support import images
from support.exchanges import Trade, trading

HERE = machine().architecture
OTHER = "arm64" if HERE == "amd64" else "amd64"


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[str]:
    settings = Settings(port=0, root=tmp_path / "registry", collect_every_s=0)
    async with running(settings) as url:
        yield url.removeprefix("http://")


@pytest.fixture
async def trade(tmp_path: Path) -> AsyncIterator[Trade]:
    async with trading(tmp_path) as made:
        yield made


async def made(trade: Trade, architecture: str) -> ImageId:
    """As a build leaves it: its layers are tars, and it has no name."""
    layers = (images.layer({"arch": architecture.encode()}), images.layer({"same": b"in both"}))
    config = images.document(layers, {"Cmd": ["true"]}, architecture=architecture)
    name = f"built:{architecture}"
    await trade.rooms.load(images.docker_archive(layers, config, (name,)))
    return trade.rooms.images.resolve(name).id


async def both(trade: Trade, name: str) -> None:
    identifiers = [await made(trade, each) for each in (OTHER, HERE)]
    said = Annotations.parse(["index:note=ahoy"])
    named = trade.rooms.images.add_platforms([Reference.parse(name)], identifiers, said)
    assert named.document.architecture == HERE
    for each in (OTHER, HERE):
        await trade.rooms.images.remove(f"built:{each}")


async def test_it_is_pushed_whole_and_pulled_by_platform(
    trade: Trade, host: str, tmp_path: Path
) -> None:
    name = f"{host}/team/app:1"
    await both(trade, name)
    first = await trade.push(name)
    assert not [line for line in first if line.error_detail], first
    index = trade.rooms.images.index(name)
    assert index is not None
    assert index.media_type == OCI_INDEX
    named = decode(trade.rooms.blobs.read(index.digest), Index).manifests
    assert [each.media_type for each in named] == [OCI_MANIFEST, OCI_MANIFEST]
    assert [each.platform.architecture for each in named if each.platform] == [OTHER, HERE]
    again = await trade.push(name)
    told = [line.status for line in again if "digest:" in line.status]
    assert told == [line.status for line in first if "digest:" in line.status]
    assert index.digest in told[0]
    (tmp_path / "other").mkdir()
    async with trading(tmp_path / "other") as other:
        for architecture in (HERE, OTHER):
            await other.pull(name, f"linux/{architecture}")
        pulled = other.rooms.images.index(name)
        assert pulled is not None
        assert pulled.digest == index.digest
        assert len(other.rooms.images.platforms(name)) == 2


async def test_it_is_saved_and_loaded_whole(trade: Trade) -> None:
    await both(trade, "app:1")
    before = trade.rooms.images.index("app:1")
    saved = b"".join([piece async for piece in trade.rooms.images.save(["app:1"])])
    assert len(saved) == trade.rooms.images.save_size_bytes(["app:1"])
    await trade.rooms.images.remove("app:1")
    assert trade.rooms.images.list({}, everything=True) == ()
    assert list(trade.rooms.blobs.digests()) == []
    await trade.rooms.load(saved)
    assert trade.rooms.images.index("app:1") == before
    one = b"".join(
        [piece async for piece in trade.rooms.images.save(
            ["app:1"], [parse_platform(f"linux/{OTHER}")])]
    )  # fmt: skip
    assert len(one) < len(saved)


async def test_an_index_has_one_image_for_each_platform(trade: Trade) -> None:
    name = [Reference.parse("app:1").tagged()]
    image = await made(trade, HERE)
    with pytest.raises(InvalidArgument, match="two images are for"):
        trade.rooms.images.add_platforms(name, [image, image])
    with pytest.raises(InvalidArgument, match="an image at least"):
        trade.rooms.images.add_platforms(name, [])


async def test_a_name_that_moves_leaves_the_others_without_one(trade: Trade) -> None:
    await both(trade, "app:1")
    gone = trade.rooms.images.platforms("app:1")
    new = await made(trade, HERE)
    trade.rooms.images.tag(new, "app", "1")
    assert trade.rooms.images.index("app:1") is None
    assert trade.rooms.images.platforms("app:1")[0].id == new
    for image in gone:
        kept = trade.rooms.images.find(image.id)
        assert kept is None or not kept.platform_names


async def test_another_name_has_all_platforms_too(trade: Trade) -> None:
    await both(trade, "app:1")
    trade.rooms.images.tag("app:1", "copy", "2")
    await trade.rooms.images.remove("app:1")
    assert len(trade.rooms.images.platforms("copy:2")) == 2
    with pytest.raises(KnarrError, match="does not provide the specified platform"):
        trade.rooms.images.of_platform("copy:2", parse_platform("linux/s390x"))
    other = trade.rooms.images.of_platform("copy:2", parse_platform(f"linux/{OTHER}"))
    await trade.rooms.images.remove(other.id)
    assert [each.document.architecture for each in trade.rooms.images.platforms("copy:2")] == [HERE]
