"""What clients do beside pull and push: referrers, deletion, bounded patience with silence."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from integration.registry.conftest import Desk
from knarr.reference import Reference
from knarr.registry.cancellation import Cancellation
from knarr.registry.client import RegistryClient
from knarr.registry.failures import Refused
from knarr.registry.manifests import Fetched, digest_of
from knarr.registry.push import _put
from knarr.registry.registries import Logins
from knarr.registry.server.serve import running
from knarr.registry.server.settings import Settings
from knarr.spec.oci.image import OCI_INDEX, OCI_MANIFEST
from support.registry import Asked, FakeRegistry, Handler, tar_of


def client_of(desk: Desk, name: str) -> RegistryClient:
    actions = ("pull", "push", "delete")
    reference = Reference.parse(name)
    return desk.registries.pusher(reference, Logins(), Cancellation(), actions=actions)


def put_blob(client: RegistryClient, body: bytes) -> None:
    place = f"blobs/uploads/?digest={digest_of(body)}"
    client.ask("POST", place, body=lambda: body).discard()


def artifact(subject: str, kind: str) -> Fetched:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"),
                   "size": 2},
        "layers": [],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 9},
        "annotations": {"kind": kind},
    }  # fmt: skip
    raw = json.dumps(document).encode()
    return Fetched(raw=raw, media_type=OCI_MANIFEST, digest=digest_of(raw))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(port=0, root=tmp_path / "registry", collect_every_s=0)


@pytest.fixture
async def host(settings: Settings) -> AsyncIterator[str]:
    async with running(settings) as url:
        yield url.removeprefix("http://")


async def test_referrers_are_kept_by_a_registry_that_knows_of_them(host: str, desk: Desk) -> None:
    client = client_of(desk, f"{host}/app")
    subject = digest_of(b"subject")
    await asyncio.to_thread(put_blob, client, b"{}")
    for kind in ("x/signature", "x/sbom"):
        thing = artifact(subject, kind)
        await asyncio.to_thread(_put, client, thing.digest, thing)
    found = await asyncio.to_thread(client.referrers, subject)
    assert [each.artifact_type for each in found] == ["x/signature", "x/sbom"]
    only = await asyncio.to_thread(client.referrers, subject, "x/sbom")
    assert [each.annotations for each in only] == [{"kind": "x/sbom"}]
    with pytest.raises(Refused):
        await asyncio.to_thread(client.manifest, subject.replace(":", "-"), "the list")


async def test_elsewhere_the_client_keeps_a_list_under_a_tag(
    registry: FakeRegistry, desk: Desk
) -> None:
    def taking(handler: Handler, asked: Asked) -> object:
        if asked.method != "PUT":
            return False
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        kind = handler.headers["Content-Type"]
        registry.put_manifest("app", asked.path.rpartition("/")[2], raw, kind)
        handler.reply(201)
        return None

    registry.faults["/v2/app/manifests/"] = taking
    client = client_of(desk, f"{registry.host}/app")
    subject = digest_of(b"subject")
    assert await asyncio.to_thread(client.referrers, subject) == ()
    for kind in ("x/signature", "x/sbom", "x/sbom"):
        thing = artifact(subject, kind)
        await asyncio.to_thread(_put, client, thing.digest, thing)
    media_type, raw = registry.manifests[f"app/{subject.replace(':', '-')}"]
    assert media_type == OCI_INDEX
    assert [each["artifactType"] for each in json.loads(raw)["manifests"]] == [
        "x/signature",
        "x/sbom",
    ]
    found = await asyncio.to_thread(client.referrers, subject, "x/sbom")
    assert [each.artifact_type for each in found] == ["x/sbom"]


async def test_manifests_and_blobs_are_deleted(host: str, desk: Desk) -> None:
    client = client_of(desk, f"{host}/app")
    digest = digest_of(b"blob")
    await asyncio.to_thread(put_blob, client, b"blob")
    assert await asyncio.to_thread(client.blob_size, digest) == 4
    await asyncio.to_thread(client.delete_blob, digest)
    assert await asyncio.to_thread(client.blob_size, digest) is None
    with pytest.raises(Refused):
        await asyncio.to_thread(client.delete_manifest, "latest")


async def test_who_says_nothing_is_hung_up_on(settings: Settings) -> None:
    async with running(replace(settings, silence_s=0.05)) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        for beginning in (
            b"",
            b"GET /v2/ HT",
            b"POST /v2/a/blobs/uploads/?digest=sha256:" + b"a" * 64 + b" HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 100\r\n\r\nabc",
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(beginning)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()


async def test_a_list_of_tags_that_leads_in_circles_ends(
    registry: FakeRegistry, desk: Desk
) -> None:
    def circling(handler: Handler, asked: Asked) -> None:
        link = f'<{asked.path}>; rel="next"'
        handler.reply(200, b'{"tags": ["a"]}', {"Link": link})

    registry.put_image("app", "a", tar_of({}))
    registry.faults["/v2/app/tags/list"] = circling
    tags = await desk.puller.tags(Reference.parse(f"{registry.host}/app"), Logins())
    assert tags == ("a",)
