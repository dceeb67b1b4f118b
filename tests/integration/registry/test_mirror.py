"""A pull-through cache in front of another registry."""

import asyncio
import http.client
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from integration.registry.conftest import Desk
from integration.registry.test_server import Client
from knarr.errors import NotFound
from knarr.registry.server.serve import running
from knarr.registry.server.settings import Settings
from knarr.registry.table import table_of
from knarr.spec import decode
from knarr.spec.docker.registries import RegistrySettings
from support.registry import Asked, FakeRegistry, Handler, digest_of, tar_of

TAR = tar_of({"noise": os.urandom(500_000)})


@pytest.fixture
def settings(tmp_path: Path, registry: FakeRegistry) -> Settings:
    return Settings(port=0, root=tmp_path / "cache", proxies=(registry.host,), collect_every_s=0)


@pytest.fixture
async def cache(settings: Settings) -> AsyncIterator[str]:
    async with running(settings) as url:
        yield url.removeprefix("http://")


def blobs_asked(registry: FakeRegistry) -> list[str]:
    return [path for path in registry.paths() if "/blobs/" in path]


async def test_what_was_asked_once_is_served_again_without_the_origin(
    registry: FakeRegistry, desk: Desk, cache: str, settings: Settings
) -> None:
    registry.put_image("team/app", "1", TAR)
    await desk.pull(f"{cache}/team/app:1")
    assert desk.layers.tars == {digest_of(TAR): TAR}
    asked = len(blobs_asked(registry))
    await desk.close()
    other = Desk(root=desk.root / "other", certificates=desk.certificates)
    await other.pull(f"{cache}/team/app:1")
    assert other.layers.tars == {digest_of(TAR): TAR}
    assert len(blobs_asked(registry)) == asked
    await other.close()


async def test_a_tag_is_asked_for_again_when_it_is_old(
    registry: FakeRegistry, settings: Settings
) -> None:
    registry.put_image("app", "1", TAR)
    async with running(replace(settings, proxy_fresh_s=0)) as url:
        client = Client(url, "app")
        first = await client("GET", "manifests/1")
        assert first.body == registry.manifests["app/1"][1]
        gets = len([path for path in registry.paths() if "manifests" in path])
        assert (await client("GET", "manifests/1")).body == first.body
        assert len([path for path in registry.paths() if "manifests" in path]) == gets
        assert [path for path in registry.paths("HEAD") if "manifests" in path]
        registry.put_image("app", "1", TAR, tar_of({"new": b""}))
        assert (await client("GET", "manifests/1")).body == registry.manifests["app/1"][1]


async def test_the_last_answer_serves_while_the_origin_is_silent(
    registry: FakeRegistry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knarr.registry.retry.RetryPolicy.wait_s", lambda *_: None)
    registry.put_image("app", "1", TAR)
    async with running(replace(settings, proxy_fresh_s=0)) as url:
        client = Client(url, "app")
        await client("GET", "manifests/1")
        registry.faults["/"] = lambda handler, _: handler.cut()
        assert (await client("GET", "manifests/1")).status == 200
        assert (await client("GET", "manifests/2")).status == 503


async def test_what_the_origin_does_not_have_is_not_here(
    registry: FakeRegistry, desk: Desk, cache: str
) -> None:
    with pytest.raises(NotFound, match="manifest unknown"):
        await desk.pull(f"{cache}/app:1")
    client = Client(f"http://{cache}", "app")
    assert (await client("GET", f"blobs/{digest_of(b'x')}")).status == 404
    assert (await client("GET", "manifests/1?ns=elsewhere.example")).status == 404


async def test_a_cache_is_not_pushed_to(cache: str) -> None:
    answer = await Client(f"http://{cache}")("POST", "blobs/uploads/")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")


async def test_two_who_ask_at_once_are_served_by_one_download(
    registry: FakeRegistry, cache: str
) -> None:
    layer = registry.put_image("app", "1", TAR)["layers"][0]["digest"]
    raw = registry.blobs[layer]
    gate, loop = asyncio.Event(), asyncio.get_running_loop()

    def slow(handler: Handler, asked: Asked) -> object:
        if asked.method == "HEAD":
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw[:1000])
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        handler.wfile.write(raw[1000:])
        return None

    registry.faults[f"/v2/app/blobs/{layer}"] = slow
    client = Client(f"http://{cache}", "app")
    asking = [asyncio.create_task(client("GET", f"blobs/{layer}")) for _ in range(3)]
    asking.append(asyncio.create_task(client("GET", f"blobs/{layer}", Range="bytes=0-9")))
    await asyncio.sleep(0.1)
    gate.set()
    answers = await asyncio.gather(*asking)
    assert [each.body for each in answers] == [raw, raw, raw, raw[:10]]
    assert registry.paths().count(f"/v2/app/blobs/{layer}") == 1


async def test_a_lie_of_the_origins_does_not_arrive_whole_and_is_not_kept(
    registry: FakeRegistry, cache: str
) -> None:
    layer = registry.put_image("app", "1", TAR)["layers"][0]["digest"]
    lie = registry.blobs[layer][:-1] + b"x"
    registry.faults[f"/v2/app/blobs/{layer}"] = lambda handler, _: handler.reply(200, lie)
    client = Client(f"http://{cache}", "app")
    with pytest.raises(http.client.IncompleteRead):
        await client("GET", f"blobs/{layer}")
    registry.faults.clear()
    assert (await client("GET", f"blobs/{layer}")).body == registry.blobs[layer]


async def test_one_cache_serves_several_registries(
    registry: FakeRegistry, desk: Desk, tmp_path: Path, settings: Settings
) -> None:
    registry.put_image("team/app", "1", TAR)
    with FakeRegistry() as second:
        second.put_image("tools/x", "1", tar_of({"x": b"second"}))
        table = [{"prefix": "second.example", "location": second.host, "insecure": True}]
        monkey = pytest.MonkeyPatch()
        rules = decode(json.dumps({"registries": table}), RegistrySettings)
        monkey.setattr("knarr.registry.server.serve.table_of", lambda _: table_of(rules))
        both = replace(settings, proxies=(registry.host, "second.example"))
        async with running(both) as url:
            host = url.removeprefix("http://")
            await desk.pull(f"{host}/team/app:1")
            await desk.pull(f"{host}/second.example/tools/x:1")
            asked = Client(url, "tools/x")
            answer = await asked("GET", "manifests/1?ns=second.example")
            assert answer.body == second.manifests["tools/x/1"][1]
            assert (await asked("GET", "manifests/1?ns=third.example")).status == 404
        monkey.undo()
    assert len(desk.layers.tars) == 2
