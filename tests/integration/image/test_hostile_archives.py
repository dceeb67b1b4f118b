"""Archives made to break what reads them: refused in a sentence, and nothing is left behind."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knarr.content import Compression, compression, compressor
from knarr.errors import InvalidArgument, KnarrError
from support import images
from support.rooms import Rooms

LAYER = images.layer({"a": b"a" * 700, "d": None, "d/b": b"b", ".wh.c": b""})
CONFIG = images.document((LAYER,), {"Cmd": ["x"]})
ARCHIVES = (
    images.docker_archive((LAYER,), CONFIG, ("fuzz:1",)),
    images.oci_archive((LAYER,), CONFIG, "docker.io/library/fuzz:1"),
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**70) | st.text(max_size=6)
    | st.sampled_from(["sha256:" + "0" * 64, "../../etc/passwd", "application/json"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Config", "Layers", "RepoTags", "manifests", "layers", "config", "digest",
                         "mediaType", "size", "rootfs", "diff_ids", "platform", "annotations"]),
        inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


async def loaded(rooms: Rooms, content: bytes) -> None:
    """Load it or be refused; then the store is as whole as before."""
    before = rooms.files()
    try:
        await rooms.load(content, step=4000)
    except KnarrError:
        assert rooms.files() == before
        assert rooms.images.find("fuzz:1") is None
        return
    for name in [str(tag) for image in rooms.images.list({}) for tag in image.repo_tags]:
        await rooms.images.remove(name, force=True)
    for image in rooms.images.list({}, everything=True):
        await rooms.images.remove(image.id, force=True)
    assert rooms.files() == before


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip  # noqa: E501
@given(data=st.data())
def test_a_damaged_archive_is_refused_or_loaded_whole(folder: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(ARCHIVES)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    rooms = Rooms(folder)
    try:
        asyncio.run(loaded(rooms, bytes(content[:end])))
    finally:
        rooms.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip  # noqa: E501
@given(value=junk, name=st.sampled_from(["manifest.json", "index.json"]), inner=junk)
def test_any_json_in_the_place_of_a_manifest_is_refused_or_read(
    folder: Path, value: Any, name: str, inner: Any
) -> None:
    text = json.dumps(inner).encode()
    files = {
        f"blobs/sha256/{images.digest(LAYER)[7:]}": LAYER,
        f"blobs/sha256/{images.digest(text)[7:]}": text,
        name: json.dumps(value).encode(),
    }
    rooms = Rooms(folder)
    try:
        asyncio.run(loaded(rooms, images.archive(files)))
    finally:
        rooms.close()


async def test_a_bomb_is_refused_as_it_unpacks(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_FREE_BYTES", 1 << 20)
    packer = compressor(Compression.ZSTD)
    zeros = bytes(1 << 20)
    packed = b"".join([*(packer.compress(zeros) for _ in range(64)), packer.flush()])
    assert len(packed) < 10_000
    config = images.document((LAYER,), {})
    archive = images.oci_archive((packed,), config, "docker.io/library/bomb:1", media="tar+zstd")
    with pytest.raises(InvalidArgument, match="unpacks to more than"):
        await rooms.load(archive)
    assert rooms.files() == {"layers/tmp"}


async def test_a_manifest_that_is_too_large_is_passed_over(rooms: Rooms) -> None:
    """It is no layer, and no JSON that anybody needs: nothing of it is kept in memory."""
    large = b'[{"Config":"' + b"x" * (9 << 20) + b'"}]'
    with pytest.raises(InvalidArgument, match=r"does not contain a manifest\.json"):
        await rooms.load(images.archive({"manifest.json": large}))
    assert rooms.files() == {"layers/tmp"}
