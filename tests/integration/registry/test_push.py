"""Pushing, against Debian's registry and against one that misbehaves."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from integration.registry.conftest import Desk
from knarr.errors import KnarrError, Unauthorized
from knarr.reference import Reference
from knarr.registry.registries import Logins
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.oci.image import OCI_MANIFEST
from knarr.spec.oci.platform import parse_platform
from support.parcels import noise, parcel, push, several
from support.peers import ANNA, docker_registry
from support.registry import Asked, FakeRegistry, Handler, tar_of

pytestmark = pytest.mark.needs("docker-registry", "htpasswd")
LOGIN = AuthConfig(username=ANNA.username, password=ANNA.password)


@pytest.fixture
def debians(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "docker-registry"
    folder.mkdir()
    with docker_registry(folder) as host:
        yield host


async def test_what_is_pushed_is_pulled(debians: str, desk: Desk, tmp_path: Path) -> None:
    tars = (tar_of({"motd": b"ahoy"}), noise(3_000_000))
    result = await push(desk, f"{debians}/team/app:1", parcel(desk.blobs, *tars))
    assert desk.told[0].status == f"The push refers to repository [{debians}/team/app]"
    assert "Pushed" in desk.statuses()
    assert desk.told[-2].status == f"1: digest: {result.digest} size: {result.size}"
    assert desk.told[-1].aux == result
    other = Desk(root=tmp_path / "other", certificates=desk.certificates)
    found = await other.pull(f"{debians}/team/app:1")
    assert found.image.root.digest == result.digest
    assert set(other.layers.tars.values()) == set(tars)
    await other.close()


async def test_what_is_there_is_not_sent_again(debians: str, desk: Desk) -> None:
    what = parcel(desk.blobs, noise(100_000))
    first = await push(desk, f"{debians}/app:1", what)
    desk.told.clear()
    second = await push(desk, f"{debians}/app:2", what)
    assert first.digest == second.digest
    assert "Layer already exists" in desk.statuses()
    assert "Pushed" not in desk.statuses()


async def test_a_neighbour_lends_its_blob(debians: str, desk: Desk) -> None:
    tar = noise(100_000)
    await push(desk, f"{debians}/team/base:1", parcel(desk.blobs, tar))
    desk.told.clear()
    lent = parcel(desk.blobs, tar, neighbours=("no/such", "team/base"))
    await push(desk, f"{debians}/team/app:1", lent)
    assert "Mounted from team/base" in desk.statuses()


async def test_one_layer_named_twice_is_sent_once(debians: str, desk: Desk) -> None:
    tar = noise(1000)
    await push(desk, f"{debians}/app:1", parcel(desk.blobs, tar, tar))
    assert desk.statuses().count("Pushed") == 1
    found = await desk.find(f"{debians}/app:1")
    assert len(found.image.layers) == 2


async def test_an_index_goes_up_with_its_children(debians: str, desk: Desk, tmp_path: Path) -> None:
    """Children before what names them; each platform then finds its own image."""
    tars = {"linux/amd64": noise(2_000_000, 1), "linux/arm64": noise(1000, 2)}
    result = await push(desk, f"{debians}/team/both:1", several(desk.blobs, tars))
    for platform, tar in tars.items():
        other = Desk(root=tmp_path / platform, certificates=desk.certificates)
        reference = Reference.parse(f"{debians}/team/both:1")
        found = await other.puller.find(reference, Logins(), parse_platform(platform))
        await other.puller.fetch(found, other.layers, other.told.append)
        assert found.image.root.digest == result.digest
        assert list(other.layers.tars.values()) == [tar]
        await other.close()


async def test_a_push_without_a_login_is_refused(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "guarded"
    folder.mkdir()
    with docker_registry(folder, ANNA) as host:
        with pytest.raises(Unauthorized, match="no basic auth credentials"):
            await push(desk, f"{host}/app:1", parcel(desk.blobs, noise(100)))
        await push(desk, f"{host}/app:1", parcel(desk.blobs, noise(100)), LOGIN)


class Sink:
    """Takes uploads as the specification says, and hangs up when it is told to."""

    def __init__(self, registry: FakeRegistry, cut_after: Sequence[int] = ()) -> None:
        self.registry, self.cuts = registry, list(cut_after)
        self.received: dict[str, bytearray] = {}
        self.limit: int | None = None
        registry.faults["/v2/"] = self.serve

    def serve(self, handler: Handler, asked: Asked) -> object:
        if asked.method == "GET" and "/uploads/" not in asked.path:
            return False
        if asked.method == "HEAD":
            return False
        if asked.method == "PUT" and "/manifests/" in asked.path:
            raw = self.body(handler)
            self.registry.put_manifest("app", asked.path.rpartition("/")[2], raw, OCI_MANIFEST)
            handler.reply(201)
        elif asked.method == "POST":
            name = str(len(self.received))
            self.received[name] = bytearray()
            self.answer(handler, 202, name)
        else:
            self.upload(handler, asked, asked.path.rpartition("/")[2])
        return None

    def upload(self, handler: Handler, asked: Asked, name: str) -> None:
        if asked.method == "GET":
            return self.answer(handler, 204, name)
        length = int(asked.headers.get("Content-Length", "0"))
        if self.limit is not None and length > self.limit:
            handler.close_connection = True
            return handler.reply(413, headers={"Connection": "close"})
        if asked.method == "PATCH" and self.cuts:
            self.received[name] += handler.rfile.read(min(length, self.cuts.pop(0)))
            return handler.cut()
        self.received[name] += handler.rfile.read(length)
        if asked.method == "PATCH":
            return self.answer(handler, 202, name)
        raw = bytes(self.received[name])
        if self.registry.put_blob(raw)["digest"] != asked.query["digest"][0]:
            return handler.refuse(400, "DIGEST_INVALID", "provided digest did not match")
        return handler.reply(201)

    def answer(self, handler: Handler, status: int, name: str) -> None:
        count = len(self.received[name])
        there = {"Location": f"/v2/app/blobs/uploads/{name}?state=x"}
        if count:
            there["Range"] = f"0-{count - 1}"
        handler.reply(status, headers=there)

    def body(self, handler: Handler) -> bytes:
        return handler.rfile.read(int(handler.headers["Content-Length"]))


async def test_an_upload_goes_on_where_it_broke_off(registry: FakeRegistry, desk: Desk) -> None:
    Sink(registry, cut_after=(2_500_000, 0, 100_000))
    tar = noise(4_000_000)
    await push(desk, f"{registry.host}/app:1", parcel(desk.blobs, tar))
    spans = [each.headers.get("Content-Range") for each in registry.asked if each.method == "PATCH"]
    assert spans[0] is None
    assert spans[-1] is not None
    found = await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.tars[found.image.layers[0].diff_id] == tar


async def test_a_proxy_that_limits_requests_is_sent_smaller_ones(
    registry: FakeRegistry, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knarr.registry.upload._CAREFUL_CHUNK", 1_500_000)
    Sink(registry).limit = 2_000_000
    await push(desk, f"{registry.host}/app:1", parcel(desk.blobs, noise(4_000_000)))
    spans = [each.headers.get("Content-Range") for each in registry.asked if each.method == "PATCH"]
    assert spans[1:3] == ["0-1499999", "1500000-2999999"]


async def test_a_registry_that_changes_manifests_is_found_out(
    registry: FakeRegistry, desk: Desk
) -> None:
    sink = Sink(registry)

    def changing(handler: Handler, asked: Asked) -> object:
        if asked.method != "PUT":
            return False
        sink.body(handler)
        handler.reply(201, headers={"Docker-Content-Digest": "sha256:" + "0" * 64})
        return None

    registry.faults = {"/v2/app/manifests/": changing, **registry.faults}
    with pytest.raises(KnarrError, match="it changes manifests"):
        await push(desk, f"{registry.host}/app:1", parcel(desk.blobs, noise(1000)))


async def test_a_push_called_off_ends_soon(registry: FakeRegistry, desk: Desk) -> None:
    Sink(registry)
    gate, loop = asyncio.Event(), asyncio.get_running_loop()

    def slow(handler: Handler, asked: Asked) -> object:
        if asked.method != "PATCH":
            return False
        loop.call_soon_threadsafe(gate.set)
        for _ in range(100):
            handler.rfile.read(65536)
        return None

    registry.faults = {"/v2/app/blobs/uploads/": slow, **registry.faults}
    pushing = asyncio.create_task(
        push(desk, f"{registry.host}/app:1", parcel(desk.blobs, noise(30_000_000)))
    )
    await gate.wait()
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    assert not registry.manifests
