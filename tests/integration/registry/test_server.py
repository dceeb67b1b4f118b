"""Our registry, as the specification has it."""

import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knarr.content import BlobStore
from knarr.errors import Conflict
from knarr.events import EventBus
from knarr.registry.manifests import digest_of
from knarr.registry.server.registry import Registry
from knarr.registry.server.serve import running
from knarr.registry.server.settings import Settings
from knarr.spec.oci.image import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from knarr.store import Database
from support.http import Answered, ask

EMPTY = b"{}"


class Client:
    """Speaks to one repository in plain requests."""

    def __init__(self, url: str, name: str = "team/app") -> None:
        self.root, self.base = url, f"{url}/v2/{name}"
        self.name = name

    async def __call__(self, method: str, path: str, body: bytes | None = None,
                       **headers: str) -> Answered:  # fmt: skip
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        url = self.root + path if path.startswith("/") else f"{self.base}/{path}"
        return await ask(url, method, body, named)

    async def blob(self, body: bytes) -> dict[str, Any]:
        digest = digest_of(body)
        answer = await self("POST", f"blobs/uploads/?digest={digest}", body)
        assert answer.status == 201
        return {"digest": digest, "size": len(body)}

    async def image(self, *layers: bytes, **more: Any) -> bytes:
        """The manifest of an image whose blobs have been pushed."""
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, **await self.blob(EMPTY)},
            "layers": [{"mediaType": OCI_LAYER, **await self.blob(each)} for each in layers],
            **more,
        }
        return json.dumps(document).encode()

    async def put(self, reference: str, manifest: bytes, kind: str = OCI_MANIFEST) -> Answered:
        return await self("PUT", f"manifests/{reference}", manifest, Content_Type=kind)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(port=0, root=tmp_path / "registry", collect_every_s=0)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings) as url:
        yield Client(url)


# -- blobs ----------------------------------------------------------------------------------------


async def test_a_blob_is_sent_in_one_request(client: Client) -> None:
    blob = await client.blob(b"ahoy")
    answer = await client("GET", f"blobs/{blob['digest']}")
    assert (answer.status, answer.body) == (200, b"ahoy")
    assert answer.headers["docker-content-digest"] == blob["digest"]
    head = await client("HEAD", f"blobs/{blob['digest']}")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "4")


async def test_a_blob_is_sent_in_two_requests(client: Client) -> None:
    opened = await client("POST", "blobs/uploads/")
    assert opened.status == 202
    where = opened.headers["location"]
    closed = await client("PUT", f"{where}?digest={digest_of(b'ahoy')}", b"ahoy")
    assert closed.status == 201
    assert closed.headers["location"] == f"/v2/team/app/blobs/{digest_of(b'ahoy')}"
    assert (await client("GET", where)).code == "BLOB_UPLOAD_UNKNOWN"


async def test_a_blob_is_sent_in_chunks_in_order(client: Client) -> None:
    where = (await client("POST", "blobs/uploads/")).headers["location"]
    first = await client("PATCH", where, b"abc", Content_Range="0-2")
    assert (first.status, first.headers["range"]) == (202, "0-2")
    gap = await client("PATCH", where, b"ghi", Content_Range="6-8")
    assert (gap.status, gap.code, gap.headers["range"]) == (416, "RANGE_INVALID", "0-2")
    again = await client("PATCH", where, b"abc", Content_Range="0-2")
    assert again.status == 416
    long = await client("PATCH", where, b"def", Content_Range="3-9")
    assert long.status == 416
    assert (await client("GET", where)).headers["range"] == "0-2"
    second = await client("PATCH", where, b"def", Content_Range="3-5")
    assert second.headers["range"] == "0-5"
    closed = await client(
        "PUT", f"{where}?digest={digest_of(b'abcdefg')}", b"g", Content_Range="6-6"
    )
    assert closed.status == 201
    assert (await client("GET", f"blobs/{digest_of(b'abcdefg')}")).body == b"abcdefg"


async def test_a_stream_without_length_is_taken(client: Client) -> None:
    where = (await client("POST", "blobs/uploads/")).headers["location"]
    body = os.urandom(3_000_000)

    def pieces() -> Any:
        for start in range(0, len(body), 70_000):
            yield body[start : start + 70_000]

    await client("PATCH", where, pieces())
    assert (await client("PUT", f"{where}?digest={digest_of(body)}", b"")).status == 201
    assert (await client("GET", f"blobs/{digest_of(body)}")).body == body


async def test_what_has_another_digest_is_not_kept(client: Client, settings: Settings) -> None:
    wrong = digest_of(b"something else")
    answer = await client("POST", f"blobs/uploads/?digest={wrong}", b"ahoy")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert (await client("GET", f"blobs/{wrong}")).code == "BLOB_UNKNOWN"
    assert os.listdir(settings.root / "blobs" / "tmp") == []
    assert os.listdir(settings.root / "blobs" / "sha256") == []


async def test_an_upload_that_broke_off_is_gone_on_with(client: Client) -> None:
    where = (await client("POST", "blobs/uploads/")).headers["location"]
    host, _, port = client.root.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(f"PATCH {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode())
        while (await client("GET", where)).headers["range"] != "0-2":
            pass
    answer = await client("PATCH", where, b"def", Content_Range="3-5")
    assert answer.headers["range"] == "0-5"


async def test_an_upload_is_cancelled(client: Client, settings: Settings) -> None:
    where = (await client("POST", "blobs/uploads/")).headers["location"]
    assert len(os.listdir(settings.root / "blobs" / "tmp")) == 1
    assert (await client("DELETE", where)).status == 204
    assert (await client("PATCH", where, b"x")).status == 404
    assert os.listdir(settings.root / "blobs" / "tmp") == []


async def test_a_part_of_a_blob_is_served(client: Client) -> None:
    blob = await client.blob(b"0123456789")
    part = await client("GET", f"blobs/{blob['digest']}", Range="bytes=2-4")
    assert (part.status, part.body) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    beyond = await client("GET", f"blobs/{blob['digest']}", Range="bytes=10-")
    assert (beyond.status, beyond.code) == (416, "RANGE_INVALID")


async def test_a_blob_is_mounted_from_a_neighbour(client: Client) -> None:
    blob = await client.blob(b"ahoy")
    other = Client(client.root, "other")
    assert (await other("GET", f"blobs/{blob['digest']}")).status == 404
    mount = f"blobs/uploads/?mount={blob['digest']}"
    missing = await other("POST", f"{mount}&from=no/such")
    assert missing.status == 202
    mounted = await other("POST", f"{mount}&from=team/app")
    assert mounted.status == 201
    assert (await other("GET", f"blobs/{blob['digest']}")).body == b"ahoy"
    third = Client(client.root, "third")
    assert (await third("POST", mount)).status == 201


# -- manifests ------------------------------------------------------------------------------------


async def test_a_manifest_is_taken_once_its_parts_are_there(client: Client) -> None:
    manifest = await client.image(b"layer")
    missing = manifest.replace(digest_of(b"layer").encode(), digest_of(b"none").encode())
    refused = await client.put("1", missing)
    assert (refused.status, refused.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert (await client("GET", "manifests/1")).code == "MANIFEST_UNKNOWN"
    taken = await client.put("1", manifest)
    assert taken.status == 201
    assert taken.headers["docker-content-digest"] == digest_of(manifest)
    for reference in ("1", digest_of(manifest)):
        answer = await client("GET", f"manifests/{reference}")
        assert (answer.body, answer.headers["content-type"]) == (manifest, OCI_MANIFEST)
        head = await client("HEAD", f"manifests/{reference}")
        assert (head.body, head.headers["content-length"]) == (b"", str(len(manifest)))


async def test_an_index_needs_its_manifests(client: Client) -> None:
    manifest = await client.image(b"layer")
    entry = {"mediaType": OCI_MANIFEST, "digest": digest_of(manifest), "size": len(manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
    assert (await client.put("all", index, OCI_INDEX)).code == "MANIFEST_BLOB_UNKNOWN"
    await client.put(digest_of(manifest), manifest)
    assert (await client.put("all", index, OCI_INDEX)).status == 201


async def test_a_manifest_too_large_is_refused(client: Client) -> None:
    answer = await client.put("1", b" " * (4 << 20) + b"{}  ")
    assert answer.status == 413


async def test_a_tag_moves_and_the_digest_stays(client: Client) -> None:
    one, two = await client.image(b"1"), await client.image(b"2")
    await client.put("latest", one)
    await client.put("latest", two)
    assert (await client("GET", "manifests/latest")).body == two
    assert (await client("GET", f"manifests/{digest_of(one)}")).body == one


async def test_several_tags_are_set_at_once(client: Client) -> None:
    manifest = await client.image(b"1")
    answer = await client.put(f"{digest_of(manifest)}?tag=a&tag=b", manifest)
    assert answer.headers["oci-tag"] == "a, b"
    assert (await client("GET", "tags/list")).json == {"name": "team/app", "tags": ["a", "b"]}


async def test_tags_and_manifests_and_blobs_are_deleted(client: Client) -> None:
    manifest = await client.image(b"layer")
    digest = digest_of(manifest)
    await client.put("1", manifest)
    await client.put("2", manifest)
    assert (await client("DELETE", "manifests/1")).status == 202
    assert (await client("GET", "manifests/1")).status == 404
    assert (await client("GET", "manifests/2")).status == 200
    assert (await client("DELETE", f"manifests/{digest}")).status == 202
    assert (await client("GET", "manifests/2")).status == 404
    assert (await client("DELETE", f"manifests/{digest}")).code == "MANIFEST_UNKNOWN"
    layer = digest_of(b"layer")
    assert (await client("DELETE", f"blobs/{layer}")).status == 202
    assert (await client("DELETE", f"blobs/{layer}")).code == "BLOB_UNKNOWN"


async def test_lists_come_in_pages(client: Client) -> None:
    manifest = await client.image(b"1")
    for tag in ("c", "a", "b", "Z"):
        await client.put(tag, manifest)
    first = await client("GET", "tags/list?n=2")
    assert first.json["tags"] == ["Z", "a"]
    link = first.headers["link"]
    assert link == '</v2/team/app/tags/list?n=2&last=a>; rel="next"'
    second = await client("GET", link[1 : link.index(">")])
    assert (second.json["tags"], "link" in second.headers) == (["b", "c"], False)
    assert (await client("GET", "tags/list?n=0")).json["tags"] == []
    assert (await client("GET", "tags/list?n=x")).code == "PAGINATION_NUMBER_INVALID"
    assert (await Client(client.root, "none")("GET", "tags/list")).code == "NAME_UNKNOWN"
    await Client(client.root, "another").blob(b"x")
    catalog = await client("GET", "/v2/_catalog?n=1")
    assert catalog.json == {"repositories": ["another"]}
    assert 'last=another>; rel="next"' in catalog.headers["link"]


async def test_referrers_are_listed_by_their_subject(client: Client) -> None:
    subject = await client.image(b"layer")
    about = {"mediaType": OCI_MANIFEST, "digest": digest_of(subject), "size": len(subject)}
    signature = await client.image(
        subject=about, artifactType="x/signature", annotations={"k": "v"}
    )
    sbom = await client.image(subject=about, artifactType="x/sbom")
    answer = await client.put(digest_of(signature), signature)
    assert answer.headers["oci-subject"] == digest_of(subject)
    await client.put("sbom", sbom)
    listed = await client("GET", f"referrers/{digest_of(subject)}")
    assert listed.headers["content-type"] == OCI_INDEX
    assert [each["artifactType"] for each in listed.json["manifests"]] == ["x/signature", "x/sbom"]
    assert listed.json["manifests"][0]["annotations"] == {"k": "v"}
    only = await client("GET", f"referrers/{digest_of(subject)}?artifactType=x/sbom")
    assert only.headers["oci-filters-applied"] == "artifactType"
    assert [each["digest"] for each in only.json["manifests"]] == [digest_of(sbom)]
    nothing = await client("GET", f"referrers/{digest_of(b'x')}")
    assert (nothing.status, nothing.json["manifests"]) == (200, [])


async def test_an_unchanged_manifest_is_not_sent_again(client: Client) -> None:
    manifest = await client.image(b"1")
    await client.put("1", manifest)
    answer = await client("GET", "manifests/1", If_None_Match=f'"{digest_of(manifest)}"')
    assert (answer.status, answer.body) == (304, b"")


# -- the rest -------------------------------------------------------------------------------------


async def test_what_is_nowhere_is_told_in_the_specifications_form(client: Client) -> None:
    for path, code in (("/v2/UPPER/tags/list", "NAME_INVALID"), ("/nowhere", "NAME_UNKNOWN")):
        answer = await client("GET", path)
        assert answer.code == code
    assert (await client("POST", "tags/list")).status == 405


async def test_everything_is_there_after_a_restart(settings: Settings) -> None:
    async with running(settings) as url:
        first = Client(url)
        manifest = await first.image(b"layer")
        await first.put("1", manifest)
        where = (await first("POST", "blobs/uploads/")).headers["location"]
        await first("PATCH", where, b"half")
        (settings.root / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"nobody's")
    async with running(settings) as url:
        second = Client(url)
        assert (await second("GET", "manifests/1")).body == manifest
        assert (await second("GET", f"blobs/{digest_of(b'layer')}")).body == b"layer"
        assert (await second("GET", where)).code == "BLOB_UPLOAD_UNKNOWN"
    assert not (settings.root / "blobs" / "sha256" / ("0" * 64)).exists()
    assert os.listdir(settings.root / "blobs" / "tmp") == []


async def test_one_root_is_served_by_one_process(settings: Settings, client: Client) -> None:
    with pytest.raises(Conflict, match="another registry serves"):
        async with running(settings):
            pass


async def test_read_only_takes_nothing(settings: Settings) -> None:
    async with running(settings) as url:
        await Client(url).put("1", manifest := await Client(url).image(b"1"))
    async with running(replace(settings, read_only=True)) as url:
        client = Client(url)
        assert (await client("GET", "manifests/1")).body == manifest
        for method, path in (("POST", "blobs/uploads/"), ("PUT", "manifests/2"),
                             ("DELETE", "manifests/1")):  # fmt: skip
            answer = await client(method, path, b"")
            assert (answer.status, answer.code) == (405, "UNSUPPORTED")


async def test_search_finds_names_and_descriptions(client: Client) -> None:
    text = {"org.opencontainers.image.description": "Serves <b>web</b> pages"}
    await client.put("latest", await client.image(b"1", annotations=text))
    other = Client(client.root, "web/front")
    await other.put("1", await other.image(b"2"))
    found = (await client("GET", "/v1/search?q=web&n=5")).json
    assert [each["name"] for each in found["results"]] == ["web/front", "team/app"]
    assert found["results"][1]["description"] == "Serves <b>web</b> pages"
    page = (await client("GET", "/repository/team/app")).body.decode()
    assert "team/app:latest" in page
    front = await client("GET", "/")
    assert front.headers["content-type"].startswith("text/html")
    for name in ("team/app", "web/front"):
        assert f"href='/repository/{name}'" in front.body.decode()


async def test_what_nothing_leads_to_is_collected(settings: Settings) -> None:
    async with running(settings) as url:
        client = Client(url)
        kept, old = await client.image(b"kept"), await client.image(b"old")
        await client.put("1", kept)
        await client.put(digest_of(old), old)
        signature = await client.image(
            b"signed", subject={"digest": digest_of(kept), "size": len(kept), "mediaType": "x"}
        )
        await client.put(digest_of(signature), signature)
        await client.blob(b"never named")
    with contextlib.closing(Database(settings.root / "registry.db", EventBus())) as db:
        registry = Registry(db, BlobStore(settings.root))
        assert registry.collect(young_s=3600).blobs == 0
        assert registry.collect(young_s=0).blobs == 1
        freed = registry.collect(young_s=0, untagged_s=0)
        assert (freed.manifests, freed.blobs) == (1, 2)
        assert registry.manifest("team/app", "1").digest == digest_of(kept)
        assert registry.referrers("team/app", digest_of(kept))
        registry.delete_manifest("team/app", "1")
        registry.collect(young_s=0, untagged_s=0)
    assert os.listdir(settings.root / "blobs" / "sha256") == []
