"""Stand-ins that behave as well-known registries say they do: Docker Hub, Google's, Amazon's.

Sources: Docker Hub, "Usage and limits" and "Registry authentication"; Google Artifact Registry,
"JSON key file"; Amazon ECR, "Private registry authentication".
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from integration.registry.conftest import Desk
from knarr.errors import Unavailable
from knarr.ids import Digest
from knarr.reference import Reference
from knarr.registry import table
from knarr.registry.cancellation import Cancellation
from knarr.registry.registries import Logins
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.registries import RegistrySettings
from support.registry import (
    Asked,
    FakeRegistry,
    Handler,
    TokenService,
    digest_of,
    tar_of,
    times,
)

TAR = tar_of({"etc/motd": b"ahoy\n"})
HUB_LOGIN = AuthConfig(
    username="anna", password="hunter22", serveraddress="https://index.docker.io/v1/"
)
SIGNED = "X-Amz-Signature=5ec7e7&X-Amz-Expires=1200"


class Store:
    """Where blobs are kept: it serves whoever has a signature, and refuses a second login."""

    def __init__(self, server: FakeRegistry, registry: FakeRegistry) -> None:
        self.server = server
        server.blobs = registry.blobs
        server.faults["/"] = self._serve
        registry.faults = {**self._moved(registry), **registry.faults}

    def _moved(self, registry: FakeRegistry) -> dict[str, Any]:
        def sending(handler: Handler, asked: Asked) -> Any:
            if "Authorization" not in handler.headers:
                return False  # it asks who is there first
            digest = asked.path.rpartition("/")[2]
            target = f"http://{self.server.host}/registry-v2/data/{digest}?{SIGNED}"
            return handler.reply(307, headers={"Location": target})

        return {f"/v2/{name}/blobs/": sending for name in ("library/alpine", "team/app")}

    def _serve(self, handler: Handler, asked: Asked) -> Any:
        if "Authorization" in handler.headers:
            return handler.reply(400, b"<Error>Only one auth mechanism allowed</Error>")
        if asked.query.get("X-Amz-Signature") != ["5ec7e7"]:
            return handler.reply(403, b"<Error>AccessDenied</Error>")
        raw = self.server.blobs[asked.path.rpartition("/")[2]]
        return handler.reply(200, raw, {"Content-Type": "application/octet-stream"})


@pytest.fixture
def elsewhere() -> Iterator[FakeRegistry]:
    with FakeRegistry() as server:
        yield server


@pytest.fixture
def hub(
    registry: FakeRegistry, elsewhere: FakeRegistry, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TokenService]:
    registry.put_image("library/alpine", "latest", TAR)
    with FakeRegistry() as server:
        tokens = TokenService(registry, server, passwords={"anna": "hunter22", "": ""})
        Store(elsewhere, registry)
        monkeypatch.setattr(table, "HUB_HOST", registry.host)
        desk.table = table.table_of(RegistrySettings(insecure_registries=("docker.io",)))
        desk.open()
        yield tokens


@pytest.mark.parametrize("login", [None, HUB_LOGIN], ids=["anybody", "anna"])
async def test_docker_hub_sends_its_callers_to_its_store(
    hub: TokenService, elsewhere: FakeRegistry, desk: Desk, login: AuthConfig | None
) -> None:
    await desk.pull("alpine", login)
    assert desk.layers.tars == {digest_of(TAR): TAR}
    assert len(elsewhere.asked) == 2  # config and layer
    (asked,) = hub.server.asked
    assert ("Authorization" in asked.headers) is (login is not None)
    assert asked.query["scope"] == ["repository:library/alpine:pull"]
    assert "5ec7e7" not in str(desk.told)


async def test_docker_hub_at_its_limit_is_told_in_its_words(hub: TokenService, desk: Desk) -> None:
    said = "You have reached your unauthenticated pull rate limit."

    def limited(handler: Handler, asked: Asked) -> Any:
        if "Authorization" not in handler.headers:
            return False
        limits = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600",
                  "docker-ratelimit-source": "192.0.2.1", "Retry-After": "21600"}  # fmt: skip
        return handler.refuse(429, "TOOMANYREQUESTS", said, **limits)

    before = hub.registry.faults
    hub.registry.faults = {"/v2/library/alpine/manifests/": limited, **before}
    with pytest.raises(Unavailable, match=f"toomanyrequests: {said}"):
        await desk.pull("alpine")
    asked = [each for each in hub.registry.asked if "manifests" in each.path]
    assert len(asked) == 2  # who are you, and too much: nobody knocks on for six hours

    def busy(handler: Handler, asked: Asked) -> Any:
        if "Authorization" not in handler.headers:
            return False
        return handler.refuse(429, "TOOMANYREQUESTS", said, **{"Retry-After": "0"})

    hub.registry.faults = {"/v2/library/alpine/manifests/": times(2, busy), **before}
    await desk.pull("alpine")
    assert desk.layers.tars


async def test_a_heads_length_may_be_missing(hub: TokenService, desk: Desk) -> None:
    """Some answer HEAD in chunks, or without a digest."""
    raw = hub.registry.manifests["library/alpine/latest"][1]

    def head(handler: Handler, asked: Asked) -> Any:
        if asked.method != "HEAD" or "Authorization" not in handler.headers:
            return False
        handler.send_response(200)
        handler.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
        handler.send_header("Transfer-Encoding", "chunked")
        return handler.end_headers()

    hub.registry.faults = {"/v2/library/": head, **hub.registry.faults}
    clients = desk.registries.pullers(Reference.parse("alpine").tagged(), Logins(), Cancellation())
    found = clients[-1].manifest_descriptor("latest")
    assert found is not None
    assert (found.digest, found.size) == ("", 0)
    assert clients[-1].blob_size(digest_of(raw)) == 0
    assert clients[-1].manifest("latest", "alpine").raw == raw


async def test_googles_key_is_a_password_of_many_lines(registry: FakeRegistry, desk: Desk) -> None:
    key = json.dumps({"type": "service_account", "private_key": "-----BEGIN:\nä\"'\n"}, indent=2)
    registry.put_image("app", "1", TAR)
    with FakeRegistry() as server:
        tokens = TokenService(registry, server, passwords={"_json_key": key})
        await desk.pull(f"{registry.host}/app:1", AuthConfig(username="_json_key", password=key))
        (asked,) = tokens.server.asked
        packed = asked.headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(packed).decode() == f"_json_key:{key}"
    assert "BEGIN" not in str(desk.told)


async def test_amazons_basic_challenge_names_a_service(
    registry: FakeRegistry, elsewhere: FakeRegistry, desk: Desk
) -> None:
    layer = registry.put_image("team/app", "1", TAR)["layers"][0]["digest"]
    expected = "Basic " + base64.b64encode(b"AWS:" + b"x" * 2000).decode()

    def guard(handler: Handler, asked: Asked) -> Any:
        if handler.headers.get("Authorization") == expected:
            return False
        challenge = f'Basic realm="http://{registry.host}/",service="ecr.amazonaws.com"'
        return handler.refuse(401, "", "Not Authorized\n", **{"Www-Authenticate": challenge})

    registry.faults["/v2/"] = guard
    Store(elsewhere, registry)
    name = f"{registry.host}/team/app:1"
    await desk.pull(name, AuthConfig(username="AWS", password="x" * 2000))
    assert desk.blobs.has(Digest(layer))
    assert not [each for each in elsewhere.asked if "Authorization" in each.headers]


async def test_a_registrys_warning_is_told_to_people(registry: FakeRegistry, desk: Desk) -> None:
    registry.put_image("app", "1", TAR)
    _, raw = registry.manifests["app/1"]

    def warned(handler: Handler, asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
        handler.send_header("Content-Length", str(len(raw)))
        for line in ('299 - "Tag \\"1\\" ends soon\x1b[31m"', '199 - "not for people"', "odd"):
            handler.send_header("Warning", line)
        handler.end_headers()
        handler.wfile.write(raw)

    registry.faults["/v2/app/manifests/"] = warned
    await desk.pull(f"{registry.host}/app:1")
    told = [each.status for each in desk.told if each.status.startswith("Warning")]
    assert told == ['Warning: Tag "1" ends soon [31m']
