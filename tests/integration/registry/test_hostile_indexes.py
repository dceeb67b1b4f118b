"""Indexes that lie, and what hangs on them: the image comes, the lie does not."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from knarr.content import compression
from knarr.errors import KnarrError, NotFound
from knarr.ids import Digest
from knarr.registry import attached
from support.exchanges import Trade, trading
from support.layouts import INDEX, MANIFEST, attestation, described
from support.registry import Asked, FakeRegistry, Handler, digest_of, tar_of

TAR = tar_of({"etc/motd": b"ahoy\n"})
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


@pytest.fixture
async def trade(tmp_path: Path) -> AsyncIterator[Trade]:
    async with trading(tmp_path) as made:
        yield made


class Index:
    """One image for this platform, what attests to it, and more entries."""

    def __init__(self, registry: FakeRegistry, *more: dict[str, Any]) -> None:
        registry.put_image("app", "amd64", TAR)
        _, self.manifest = registry.manifests["app/amd64"]
        self.attesting = attestation(self.manifest)
        for blob in self.attesting[1:]:
            registry.put_blob(blob)
        registry.put_manifest("app", "attestation", self.attesting[0], MANIFEST)
        about = {"vnd.docker.reference.type": "attestation-manifest",
                 "vnd.docker.reference.digest": digest_of(self.manifest)}  # fmt: skip
        entries = [
            described(MANIFEST, self.manifest, platform={"os": "linux", "architecture": "amd64"}),
            described(MANIFEST, self.attesting[0], platform=UNKNOWN, annotations=about),
            *more,
        ]
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        self.digest = registry.put_manifest("app", "1", document, INDEX)

    def parts(self) -> list[str]:
        return [digest_of(each) for each in self.attesting]


async def test_what_attests_to_an_image_comes_with_it(registry: FakeRegistry, trade: Trade) -> None:
    index = Index(registry)
    image = await trade.pull(f"{registry.host}/app:1")
    stored = trade.rooms.images.index(f"{registry.host}/app:1")
    assert stored is not None
    assert stored.digest == index.digest
    trade.rooms.images.collect()
    assert all(trade.rooms.blobs.has(Digest(each)) for each in index.parts())
    await trade.rooms.images.remove(f"{registry.host}/app:1")
    assert trade.rooms.images.find(image.id) is None
    assert list(trade.rooms.blobs.digests()) == []


LIES = ["other bytes", "missing", "endless", "no JSON", "too many parts", "odd digests"]


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_beside_the_image_is_left_where_it_is(
    registry: FakeRegistry, trade: Trade, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    monkeypatch.setattr(attached, "_BYTES_LIMIT", 1 << 20)
    index = Index(registry)
    manifest, _, statement = index.attesting
    place = f"/v2/app/blobs/{digest_of(statement)}"

    def endless(handler: Handler, asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"%x\r\n%b\r\n" % (65536, bytes(65536)))

    match lie:
        case "other bytes":
            registry.blobs[digest_of(statement)] = statement[::-1]
        case "missing":
            del registry.blobs[digest_of(statement)]
        case "endless":
            registry.faults[place] = endless
        case _:
            document = json.loads(manifest)
            if lie == "too many parts":
                one = document["layers"][0]
                document["layers"] = [
                    {**one, "digest": digest_of(str(n).encode())} for n in range(1000)
                ]
            else:
                document["layers"] = [{"digest": "sha256:../../../etc/passwd", "size": 3}]
            raw = b"}{" if lie == "no JSON" else json.dumps(document).encode()
            about = {"vnd.docker.reference.digest": digest_of(index.manifest)}
            registry.put_manifest("app", "lie", raw, MANIFEST)
            entries = [
                described(MANIFEST, index.manifest,
                          platform={"os": "linux", "architecture": "amd64"}),
                described(MANIFEST, raw, platform=UNKNOWN, annotations=about),
            ]  # fmt: skip
            document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
            registry.put_manifest("app", "1", document, INDEX)
    name = f"{registry.host}/app:1"
    image = await trade.pull(name)
    assert image.document.architecture == "amd64"
    known = {image.manifest, trade.rooms.images.index(name).digest}  # type: ignore[union-attr]
    layers = {digest_of(gzip.compress(TAR, 1, mtime=0))}
    trade.rooms.images.collect()
    assert set(trade.rooms.blobs.digests()) == known | layers


async def test_entries_that_are_none_are_shown_and_not_followed(
    registry: FakeRegistry, trade: Trade
) -> None:
    arm = {"os": "linux", "architecture": "arm64"}
    odd = [
        {"mediaType": MANIFEST, "digest": "sha256:../../x", "size": 1, "platform": arm},
        {"mediaType": MANIFEST, "digest": "", "size": -1},
        {"mediaType": INDEX, "digest": digest_of(b"self"), "size": 1, "platform": arm},
    ]
    Index(registry, *odd)
    name = f"{registry.host}/app:1"
    await trade.pull(name)
    (row,) = trade.rooms.images.list({}, manifests=True)
    assert isinstance(row.manifests, tuple)
    assert len(row.manifests) == 5
    assert [each.available for each in row.manifests].count(True) == 1
    with pytest.raises(KnarrError, match="invalid digest"):
        await trade.pull(name, "linux/arm64")
    with pytest.raises(NotFound, match="no matching manifest for linux/s390x"):
        await trade.pull(name, "linux/s390x")


async def test_a_bomb_is_refused_as_it_unpacks(
    registry: FakeRegistry, trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(compression, "_RATIO", 100)
    registry.put_image("app", "1", tar_of({"zeros": bytes(64 << 20)}))
    with pytest.raises((KnarrError, AssertionError), match="unpacks to more than"):
        await trade.pull(f"{registry.host}/app:1")
    assert list(trade.rooms.blobs.digests()) == []
    assert trade.rooms.images.list({}) == ()
