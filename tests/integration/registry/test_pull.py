import asyncio
import os
import random
import time

import pytest

from integration.registry.conftest import Desk
from knarr.errors import Forbidden, InvalidArgument, KnarrError, NotFound, Unavailable
from knarr.ids import Digest, short
from knarr.reference import Reference
from knarr.registry.inspect import distribution
from knarr.registry.layer import ByteReader
from knarr.registry.manifests import RemoteLayer
from knarr.registry.pull import Puller, outcome
from knarr.registry.registries import Logins
from knarr.registry.table import RegistryTable
from knarr.spec.docker.registries import Mirror, RegistryRule
from support.layers import PlainLayers
from support.registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    Asked,
    FakeRegistry,
    Handler,
    digest_of,
    tar_of,
    times,
)

SMALL = tar_of({"etc/motd": b"ahoy\n"})


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress, so that a layer is as large as it looks."""
    return tar_of({"noise": random.Random(seed).randbytes(size)})


async def test_an_image_arrives_byte_for_byte(registry: FakeRegistry, desk: Desk) -> None:
    tars = (SMALL, noise(3_000_000))
    manifest = registry.put_image("team/app", "1", *tars)
    found = await desk.pull(f"{registry.host}/team/app:1")
    assert desk.layers.tars == {digest_of(tar): tar for tar in tars}
    for blob in manifest["layers"]:
        assert desk.blobs.read(Digest(blob["digest"])) == registry.blobs[blob["digest"]]
    assert found.image.config.raw == registry.blobs[manifest["config"]["digest"]]
    assert sorted(desk.layers.recorded) == sorted(desk.layers.tars)
    assert found.image.id == manifest["config"]["digest"]


async def test_progress_is_told_as_docker_tells_it(registry: FakeRegistry, desk: Desk) -> None:
    manifest = registry.put_image("team/app", "1", noise(400_000))
    layer = manifest["layers"][0]
    found = await desk.pull(f"{registry.host}/team/app:1")
    assert (desk.told[0].id, desk.told[0].status) == ("1", "Pulling from team/app")
    told = [text for text in desk.statuses(short(layer["digest"])) if text != "Extracting"]
    assert told == [
        "Pulling fs layer",
        "Downloading",
        "Verifying Checksum",
        "Download complete",
        "Pull complete",
    ]
    downloading = [each.progress_detail for each in desk.told if each.status == "Downloading"]
    assert all(each is not None and each.total == layer["size"] for each in downloading)
    assert [each.status for each in outcome(found, newer=True)] == [
        f"Digest: {found.image.root.digest}",
        f"Status: Downloaded newer image for {registry.host}/team/app:1",
    ]


class _Patient(PlainLayers):
    """Does not finish a layer before the registry was asked for all of them."""

    def __init__(self, registry: FakeRegistry, blobs: set[str]) -> None:
        super().__init__()
        self._registry, self._blobs = registry, blobs

    def unpack(self, layer: RemoteLayer, packed: ByteReader) -> None:
        end = time.monotonic() + 10
        while not all(any(blob in path for path in self._registry.paths()) for blob in self._blobs):
            assert time.monotonic() < end, "the next download waits for this layer's unpacking"
            time.sleep(0.005)
        super().unpack(layer, packed)


async def test_the_next_layer_comes_while_one_is_unpacked(
    registry: FakeRegistry, desk: Desk
) -> None:
    """Turns are for downloading: with one at a time, two layers are in work."""
    manifest = registry.put_image("app", "1", SMALL, noise(100_000))
    blobs = {layer["digest"] for layer in manifest["layers"]}
    desk.layers = _Patient(registry, blobs)
    desk.puller = Puller(desk.registries, desk.blobs, workers=1)
    await desk.pull(f"{registry.host}/app:1")
    assert len(desk.layers.recorded) == 2


async def test_what_is_there_is_not_fetched_again(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", SMALL)
    await desk.pull(f"{registry.host}/app:1")
    manifest = registry.put_image("app", "2", SMALL, noise(1000))
    before = len(registry.asked)
    desk.told.clear()
    await desk.pull(f"{registry.host}/app:2")
    base = manifest["layers"][0]["digest"]
    assert "Already exists" in desk.statuses(short(base))
    assert not [each for each in registry.asked[before:] if base in each.path]


async def test_a_blob_that_was_never_unpacked_is_not_fetched_again(
    registry: FakeRegistry, desk: Desk
) -> None:
    manifest = registry.put_image("app", "1", SMALL)
    layer = manifest["layers"][0]["digest"]
    desk.blobs.put(registry.blobs[layer])
    await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.tars[digest_of(SMALL)] == SMALL
    assert not [path for path in registry.paths() if layer in path]


async def test_one_layer_named_twice_is_fetched_once(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", SMALL, SMALL)
    await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.unpacked == [digest_of(SMALL)]


async def test_the_manifest_for_the_platform_is_taken_from_an_index(
    registry: FakeRegistry, desk: Desk
) -> None:
    entries = []
    for architecture in ("arm64", "amd64"):
        manifest = registry.put_image("app", architecture, tar_of({architecture: b""}))
        media_type, raw = registry.manifests[f"app/{architecture}"]
        entries.append({
            "mediaType": media_type, "digest": digest_of(raw), "size": len(raw),
            "platform": {"os": "linux", "architecture": architecture},
        })  # fmt: skip
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    root = registry.put_manifest("app", "latest", index, OCI_INDEX)
    found = await desk.pull(f"{registry.host}/app")
    assert found.image.root.digest == root
    assert found.image.config.digest == manifest["config"]["digest"]
    assert root != found.image.manifest.digest


async def test_a_digest_names_an_image_too(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", SMALL)
    digest = digest_of(registry.manifests["app/1"][1])
    found = await desk.pull(f"{registry.host}/app@{digest}")
    assert desk.told[0].id == f"{registry.host}/app@{digest}"
    assert found.image.root.digest == digest


async def test_all_tags_are_listed_page_by_page(registry: FakeRegistry, desk: Desk) -> None:
    for tag in "abcde":
        registry.put_image("app", tag, SMALL)
    tags = await desk.puller.tags(Reference.parse(f"{registry.host}/app"), Logins())
    assert tags == ("a", "b", "c", "d", "e")
    assert len([path for path in registry.paths() if "tags" in path]) == 3


async def test_two_pulls_share_the_work(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", noise(500_000))
    registry.put_image("app", "2", noise(500_000), SMALL)
    names = [f"{registry.host}/app:{tag}" for tag in "121"]
    await asyncio.gather(*(desk.pull(name) for name in names))
    blobs = [path for path in registry.paths() if "/blobs/" in path]
    layers = [path for path in blobs if registry.blobs[path.rpartition("/")[2]][:1] == b"\x1f"]
    assert len(layers) == len(set(layers)) == 2
    assert sorted(desk.layers.unpacked) == sorted({digest_of(noise(500_000)), digest_of(SMALL)})


async def test_when_one_of_two_pulls_is_called_off_the_other_goes_on(
    registry: FakeRegistry, desk: Desk
) -> None:
    manifest = registry.put_image("app", "1", noise(600_000))
    layer = manifest["layers"][0]["digest"]
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def halting(handler: Handler, asked: Asked) -> None:
        raw = registry.blobs[layer]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw[:300_000])
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        handler.wfile.write(raw[300_000:])

    registry.faults[f"/v2/app/blobs/{layer}"] = halting
    name = f"{registry.host}/app:1"
    first, second = (asyncio.create_task(desk.pull(name)) for _ in range(2))
    while "Downloading" not in desk.statuses():
        await asyncio.sleep(0.005)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.set()
    await second
    assert len(desk.layers.unpacked) == 1


async def test_a_pull_called_off_leaves_a_beginning_that_the_next_goes_on_from(
    registry: FakeRegistry, desk: Desk
) -> None:
    manifest = registry.put_image("app", "1", noise(2_000_000))
    layer = manifest["layers"][0]["digest"]
    raw = registry.blobs[layer]
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stalling(handler: Handler, asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw[:1_000_000])
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        handler.cut()

    registry.faults[f"/v2/app/blobs/{layer}"] = times(1, stalling)
    pulling = asyncio.create_task(desk.pull(f"{registry.host}/app:1"))
    partial = desk.root / "blobs" / "partial" / layer.removeprefix("sha256:")
    while not partial.exists() or partial.stat().st_size < 1_000_000:
        await asyncio.sleep(0.005)
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    release.set()
    assert not desk.blobs.has(Digest(layer))
    await desk.close()
    desk.open()
    await desk.pull(f"{registry.host}/app:1")
    ranges = [each.headers.get("Range") for each in registry.asked if layer in each.path]
    assert ranges == [None, "bytes=1000000-"]
    assert not partial.exists()


async def test_a_wrong_beginning_is_thrown_away(registry: FakeRegistry, desk: Desk) -> None:
    tar = noise(300_000)
    layer = registry.put_image("app", "1", tar)["layers"][0]["digest"]
    folder = desk.root / "blobs" / "partial"
    folder.mkdir()
    (folder / layer.removeprefix("sha256:")).write_bytes(b"\0" * 5000)
    await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.tars[digest_of(tar)] == tar


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_pull_survives_cuts_at_random_points(
    registry: FakeRegistry, desk: Desk, ranges: bool
) -> None:
    chance = random.Random(7)
    tar = noise(1_500_000)
    layer = registry.put_image("app", "1", tar)["layers"][0]["digest"]
    raw = registry.blobs[layer]

    def cutting(handler: Handler, asked: Asked) -> None:
        start = int(asked.headers.get("Range", "bytes=0-")[6:-1]) if ranges else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(raw) - 1}/{len(raw)}")
        handler.send_header("Content-Length", str(len(raw) - start))
        handler.end_headers()
        handler.wfile.write(raw[start : start + chance.randrange(200_000)])
        handler.cut()

    registry.faults[f"/v2/app/blobs/{layer}"] = times(3, cutting)
    await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.tars[digest_of(tar)] == tar


async def test_a_mirror_is_asked_first_and_may_fail(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", SMALL)
    with FakeRegistry() as mirror:
        rule = RegistryRule(prefix=registry.host, mirrors=(Mirror(location=mirror.host),))
        desk.table = RegistryTable(rules=(rule,))
        desk.open()
        await desk.pull(f"{registry.host}/app:1")
        assert mirror.paths()
        mirror.put_image("app", "1", SMALL, noise(1000))
        asked = len(registry.asked)
        await desk.pull(f"{registry.host}/app:1")
        assert len(registry.asked) == asked


async def test_what_a_mirror_lacks_is_unknown_when_the_registry_cannot_be_reached(
    desk: Desk,
) -> None:
    with FakeRegistry() as gone:
        host = gone.host
    with FakeRegistry() as mirror:
        rule = RegistryRule(prefix=host, mirrors=(Mirror(location=mirror.host),))
        desk.table = RegistryTable(rules=(rule,))
        desk.open()
        with pytest.raises(NotFound, match=f"manifest for {host}/app:1 not found.*refused"):
            await desk.pull(f"{host}/app:1")


async def test_tags_and_digests_are_asked_of_a_mirror_first(
    registry: FakeRegistry, desk: Desk
) -> None:
    with FakeRegistry() as mirror:
        mirror.put_image("app", "1", SMALL)
        rule = RegistryRule(prefix=registry.host, mirrors=(Mirror(location=mirror.host),))
        desk.table = RegistryTable(rules=(rule,))
        desk.open()
        reference = Reference.parse(f"{registry.host}/app:1")
        assert await desk.puller.tags(reference, Logins()) == ("1",)
        found = await distribution(desk.registries, reference, Logins())
    assert found.platforms[0].architecture == "amd64"
    assert registry.asked == []


async def test_a_blob_that_a_mirror_lacks_comes_from_the_registry(
    registry: FakeRegistry, desk: Desk
) -> None:
    manifest = registry.put_image("app", "1", SMALL)
    with FakeRegistry() as mirror:
        mirror.put_image("app", "1", SMALL)
        del mirror.blobs[manifest["layers"][0]["digest"]]
        rule = RegistryRule(prefix=registry.host, mirrors=(Mirror(location=mirror.host),))
        desk.table = RegistryTable(rules=(rule,))
        desk.open()
        await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.tars[digest_of(SMALL)] == SMALL


async def test_a_name_that_is_not_there_is_told_in_dockers_words(
    registry: FakeRegistry, desk: Desk
) -> None:
    with pytest.raises(NotFound) as caught:
        await desk.pull(f"{registry.host}/none")
    assert str(caught.value) == (
        f"manifest for {registry.host}/none:latest not found: manifest unknown: manifest unknown"
    )
    assert desk.told == []


async def test_nobody_there_is_unavailable(desk: Desk) -> None:
    with FakeRegistry() as gone:
        host = gone.host
    with pytest.raises(Unavailable, match="connection refused"):
        await desk.pull(f"{host}/app")


async def test_a_blocked_registry_is_not_asked(registry: FakeRegistry, desk: Desk) -> None:
    desk.table = RegistryTable(rules=(RegistryRule(prefix=registry.host, blocked=True),))
    desk.open()
    with pytest.raises(Forbidden, match="blocked"):
        await desk.pull(f"{registry.host}/app")
    assert registry.asked == []


async def test_patience_is_asked_for_and_given(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", SMALL)

    def busy(handler: Handler, asked: Asked) -> None:
        handler.refuse(429, "TOOMANYREQUESTS", "slow down", **{"Retry-After": "0"})

    registry.faults["/v2/app/"] = times(2, busy)
    await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.tars


async def test_too_much_patience_is_not_given(registry: FakeRegistry, desk: Desk) -> None:
    def busy(handler: Handler, asked: Asked) -> None:
        handler.refuse(429, "TOOMANYREQUESTS", "pull rate limit", **{"Retry-After": "3600"})

    registry.faults["/v2/app/"] = busy
    with pytest.raises(Unavailable, match="toomanyrequests: pull rate limit"):
        await desk.pull(f"{registry.host}/app:1")
    assert len([each for each in registry.asked if "manifests" in each.path]) == 1


async def test_an_image_that_disagrees_with_itself_is_refused(
    registry: FakeRegistry, desk: Desk
) -> None:
    registry.put_image("app", "1", SMALL, rootfs={"type": "layers", "diff_ids": []})
    with pytest.raises(InvalidArgument, match="layers from manifest don't match"):
        await desk.pull(f"{registry.host}/app:1")
    wrong = {"type": "layers", "diff_ids": [digest_of(b"something else")]}
    registry.put_image("app", "2", SMALL, rootfs=wrong)
    with pytest.raises(InvalidArgument, match="layers from manifest don't match"):
        await desk.pull(f"{registry.host}/app:2")
    assert desk.layers.tars == {}
    assert os.listdir(desk.root / "blobs" / "tmp") == []


async def test_a_manifest_under_a_false_type_is_refused(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", SMALL)
    _, raw = registry.manifests["app/1"]
    registry.manifests["app/1"] = (OCI_INDEX, raw)
    with pytest.raises(KnarrError, match="calls itself"):
        await desk.pull(f"{registry.host}/app:1")
    registry.manifests["app/1"] = (OCI_MANIFEST, raw)
    await desk.pull(f"{registry.host}/app:1")
