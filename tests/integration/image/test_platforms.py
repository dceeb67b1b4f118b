"""Archives with images for several platforms, and ``--platform`` of load, save and rmi."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from knarr.errors import KnarrError, NotFound
from knarr.image.platforms import machine
from knarr.spec.oci.image import Platform
from knarr.spec.oci.platform import parse_platform
from support import images
from support.rooms import Rooms

HERE = machine().architecture
OTHERS = [each for each in ("arm64", "amd64", "riscv64") if each != HERE]
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NAME = "docker.io/library/multi:1"


def described(media_type: str, content: bytes, **fields: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": images.digest(content), "size": len(content),
            **fields}  # fmt: skip


def one(architecture: str) -> dict[str, bytes]:
    """Layer, config and manifest of an image for one platform."""
    layer = images.layer({"arch": architecture.encode()})
    config = images.document((layer,), {}, architecture=architecture)
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": described("application/vnd.oci.image.config.v1+json", config),
        "layers": [described("application/vnd.oci.image.layer.v1.tar", layer)],
    }).encode()  # fmt: skip
    return {"layer": layer, "config": config, "manifest": manifest}


def archive(*architectures: str, absent: tuple[str, ...] = ()) -> bytes:
    """An OCI layout whose one name is an index; ``absent`` are named there and not in it."""
    parts = {each: one(each) for each in (*architectures, *absent)}
    listed = [
        described(MANIFEST, each["manifest"], platform={"os": "linux", "architecture": name})
        for name, each in parts.items()
    ]
    attested = described(MANIFEST, b"{}", platform={"os": "unknown", "architecture": "unknown"},
                         annotations={"vnd.docker.reference.type": "attestation-manifest"})  # fmt: skip  # noqa: E501
    inner = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                        "manifests": [*listed, attested]}).encode()  # fmt: skip
    root = described(INDEX, inner, annotations={"io.containerd.image.name": NAME})
    blobs = [inner, b"{}", *(blob for name in architectures for blob in parts[name].values())]
    files: Mapping[str, bytes] = {
        **{f"blobs/sha256/{images.digest(each)[7:]}": each for each in blobs},
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [root]}).encode(),
    }
    return images.archive(files)


async def load(rooms: Rooms, content: bytes, platform: str = "") -> str:
    """The architecture of what has the name afterwards."""

    async def source() -> Any:
        yield content

    wanted: list[Platform] = [parse_platform(platform)] if platform else []
    async for _ in rooms.images.load(source(), platforms=wanted):
        pass
    return rooms.images.resolve("multi:1").document.architecture


async def test_all_platforms_are_loaded_and_the_name_leads_to_this_machines(rooms: Rooms) -> None:
    assert await load(rooms, archive(OTHERS[0], HERE, OTHERS[1])) == HERE
    (listed,) = rooms.images.list({}, everything=True, manifests=True)
    assert listed.repo_tags == ("multi:1",)
    assert len(list(rooms.layers.diff_ids())) == 3
    for name in (HERE, *OTHERS):
        found = rooms.images.of_platform("multi:1", parse_platform(f"linux/{name}"))
        assert found.document.architecture == name


async def test_the_platform_that_is_asked_for_is_loaded(rooms: Rooms) -> None:
    content = archive(HERE, *OTHERS)
    assert await load(rooms, content, f"linux/{OTHERS[0]}") == OTHERS[0]
    assert await load(rooms, content, f"linux/{HERE}") == HERE
    assert len(rooms.images.platforms("multi:1")) == 2


async def test_the_only_platform_that_is_there_is_loaded(rooms: Rooms) -> None:
    assert await load(rooms, archive(OTHERS[0], absent=(HERE, OTHERS[1]))) == OTHERS[0]


async def test_a_platform_that_is_not_there_is_named_with_those_that_are(rooms: Rooms) -> None:
    with pytest.raises(NotFound, match=r"no image for linux/s390x: it has linux/.*, linux/"):
        await load(rooms, archive(*OTHERS), "linux/s390x")
    with pytest.raises(NotFound, match="no image for linux/s390x"):
        await load(rooms, archive(HERE), "linux/s390x")
    assert rooms.files() == {"layers/tmp"}


async def test_a_docker_archive_has_its_platform_checked(rooms: Rooms) -> None:
    layer = images.layer({"a": b"a"})
    config = images.document((layer,), {}, architecture=HERE)
    content = images.docker_archive((layer,), config, ("multi:1",))
    with pytest.raises(NotFound, match="no image for linux/s390x"):
        await load(rooms, content, "linux/s390x")
    assert await load(rooms, content, f"linux/{HERE}") == HERE


async def test_of_docker_images_with_one_name_this_machines_gets_it(rooms: Rooms) -> None:
    """As engines with containerd's store save them."""
    files: dict[str, bytes] = {}
    manifest = []
    for architecture in (HERE, OTHERS[0]):
        parts = one(architecture)
        config, layer = parts["config"], parts["layer"]
        files |= {f"{images.digest(config)[7:]}.json": config,
                  f"{images.digest(layer)[7:]}/layer.tar": layer}  # fmt: skip
        manifest.append({"Config": f"{images.digest(config)[7:]}.json", "RepoTags": ["multi:1"],
                         "Layers": [f"{images.digest(layer)[7:]}/layer.tar"]})  # fmt: skip
    content = images.archive({**files, "manifest.json": json.dumps(manifest).encode()})
    assert await load(rooms, content) == HERE
    assert await load(rooms, content, f"linux/{OTHERS[0]}") == OTHERS[0]


async def test_save_refuses_another_platform_before_the_first_byte(rooms: Rooms) -> None:
    await load(rooms, archive(HERE))
    with pytest.raises(NotFound, match=r"does not provide the specified platform \(linux/s390x\)"):
        rooms.images.save(["multi:1"], [parse_platform("linux/s390x")])
    fits = [parse_platform("linux/s390x"), parse_platform(f"linux/{HERE}")]
    saved = b"".join([piece async for piece in rooms.images.save(["multi:1"], fits)])
    await rooms.images.remove("multi:1")
    await rooms.load(saved)
    assert rooms.images.resolve("multi:1").document.architecture == HERE


async def test_a_broken_platform_is_refused(rooms: Rooms) -> None:
    with pytest.raises(KnarrError):
        rooms.images.of_platform("nosuch", parse_platform(f"linux/{HERE}"))
