"""Who one is, and who gets to know it."""

import json
from collections.abc import Iterator

import pytest

from integration.registry.conftest import Desk
from knarr.errors import Forbidden, KnarrError, NotFound, Unauthorized
from knarr.registry import table
from knarr.spec.docker.auth import AuthConfig
from knarr.spec.docker.registries import RegistrySettings
from support.registry import Asked, FakeRegistry, Handler, TokenService, digest_of, tar_of

TAR = tar_of({"etc/motd": b"ahoy\n"})
ANNA = AuthConfig(username="anna", password="hunter22")


@pytest.fixture
def tokens(registry: FakeRegistry) -> Iterator[TokenService]:
    registry.put_image("app", "1", TAR)
    with FakeRegistry() as server:
        yield TokenService(registry, server, passwords={"anna": "hunter22"})


async def test_a_login_is_traded_for_a_token_once(tokens: TokenService, desk: Desk) -> None:
    await desk.pull(f"{tokens.registry.host}/app:1", ANNA)
    (asked,) = tokens.server.asked
    assert asked.query["service"] == ["test"]
    assert asked.query["account"] == ["anna"]
    assert tokens.issued["token-0"] == {"repository:app:pull"}
    seen = {each.headers.get("Authorization", "")[:6] for each in tokens.registry.asked}
    assert seen == {"", "Bearer"}


async def test_anybody_may_have_a_token_for_what_is_public(
    tokens: TokenService, desk: Desk
) -> None:
    tokens.passwords[""] = ""
    await desk.pull(f"{tokens.registry.host}/app:1")
    assert "Authorization" not in tokens.server.asked[0].headers


async def test_an_identity_token_is_posted(tokens: TokenService, desk: Desk) -> None:
    tokens.identity = "lasting-secret"
    await desk.pull(f"{tokens.registry.host}/app:1", AuthConfig(identitytoken="lasting-secret"))
    (asked,) = tokens.server.asked
    assert asked.method == "POST"
    assert "lasting-secret" not in str(asked)


async def test_a_token_of_the_callers_own_is_sent_as_it_is(
    tokens: TokenService, desk: Desk
) -> None:
    tokens.issued["mine"] = set()
    await desk.pull(f"{tokens.registry.host}/app:1", AuthConfig(registrytoken="mine"))
    assert tokens.server.asked == []


async def test_a_token_that_ran_out_is_renewed(tokens: TokenService, desk: Desk) -> None:
    found = await desk.find(f"{tokens.registry.host}/app:1", ANNA)
    tokens.issued.clear()
    await desk.puller.fetch(found, desk.layers, desk.told.append)
    assert desk.layers.tars
    assert len(tokens.server.asked) == 2


async def test_a_wrong_password_is_told_without_it(tokens: TokenService, desk: Desk) -> None:
    def echoing(handler: Handler, asked: Asked) -> None:
        handler.reply(401, b"no such password: hunter23, nor YW5uYTpodW50ZXIyMw==")

    tokens.server.faults["/token"] = echoing
    with pytest.raises(Unauthorized) as caught:
        await desk.pull(
            f"{tokens.registry.host}/app:1", AuthConfig(username="anna", password="hunter23")
        )
    assert "hunter23" not in str(caught.value)
    assert "YW5uYTpodW50ZXIyMw" not in str(caught.value)
    assert "no such password" in str(caught.value)


async def test_a_registry_that_is_never_content_is_given_up(
    tokens: TokenService, desk: Desk
) -> None:
    def never(handler: Handler, asked: Asked) -> None:
        challenge = {"WWW-Authenticate": tokens.challenge(asked)}
        handler.refuse(401, "UNAUTHORIZED", "no", **challenge)

    tokens.registry.faults["/v2/"] = never
    with pytest.raises(Unauthorized):
        await desk.pull(f"{tokens.registry.host}/app:1", ANNA)
    assert len(tokens.registry.asked) < 6


async def test_a_right_that_is_missing_is_told_in_dockers_words(
    tokens: TokenService, desk: Desk
) -> None:
    def denying(handler: Handler, asked: Asked) -> None:
        challenge = tokens.challenge(asked, error="insufficient_scope")
        handler.refuse(401, "UNAUTHORIZED", "no", **{"WWW-Authenticate": challenge})

    tokens.registry.faults["/v2/"] = denying
    with pytest.raises(NotFound) as caught:
        await desk.pull(f"{tokens.registry.host}/app:1", ANNA)
    assert str(caught.value) == (
        f"pull access denied for {tokens.registry.host}/app, repository does not exist or may"
        " require 'docker login': denied: requested access to the resource is denied"
    )


@pytest.mark.parametrize("realm", ["file:///etc/shadow", "ftp://x.example/", "//", "http://"])
async def test_a_login_goes_to_no_odd_place(registry: FakeRegistry, desk: Desk, realm: str) -> None:
    def challenging(handler: Handler, asked: Asked) -> None:
        handler.refuse(401, "UNAUTHORIZED", **{"WWW-Authenticate": f'Bearer realm="{realm}"'})

    registry.faults["/v2/"] = challenging
    with pytest.raises((Forbidden, KnarrError)):
        await desk.pull(f"{registry.host}/app:1", ANNA)


@pytest.mark.parametrize("guard", ["basic", "bearer"])
async def test_a_login_does_not_follow_a_redirect(
    registry: FakeRegistry, desk: Desk, guard: str
) -> None:
    layer = registry.put_image("app", "1", TAR)["layers"][0]["digest"]

    def asking(handler: Handler, asked: Asked) -> bool:
        if "Authorization" in asked.headers:
            return False
        handler.refuse(401, "UNAUTHORIZED", **{"WWW-Authenticate": 'Basic realm="x"'})
        return True

    with FakeRegistry() as elsewhere, FakeRegistry() as server:
        if guard == "bearer":
            TokenService(registry, server, passwords={"anna": "hunter22"})
        else:
            registry.faults["/v2/"] = asking
        elsewhere.blobs.update(registry.blobs)
        target = f"http://{elsewhere.host}/v2/app/blobs/{layer}?signature=1"

        def sending(handler: Handler, asked: Asked) -> None:
            handler.reply(307, headers={"Location": target})

        registry.faults = {f"/v2/app/blobs/{layer}": sending, **registry.faults}
        await desk.pull(f"{registry.host}/app:1", ANNA)
        assert desk.layers.tars == {digest_of(TAR): TAR}
        (asked,) = elsewhere.asked
        assert "Authorization" not in asked.headers
        sent = [each for each in registry.asked if layer in each.path]
        assert "Authorization" in sent[-1].headers


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
async def test_who_is_redirected_to_may_not_ask_for_the_login(
    tokens: TokenService, desk: Desk, scheme: str
) -> None:
    registry = tokens.registry
    _, raw = registry.manifests["app/1"]
    layer = json.loads(raw)["layers"][0]["digest"]
    with FakeRegistry() as elsewhere, FakeRegistry() as thief:

        def asking(handler: Handler, asked: Asked) -> None:
            challenge = f'{scheme} realm="http://{thief.host}/token",service="test"'
            handler.refuse(401, "UNAUTHORIZED", "who is it?", **{"WWW-Authenticate": challenge})

        elsewhere.faults["/"] = asking
        target = f"http://{elsewhere.host}/blob"
        registry.faults = {
            f"/v2/app/blobs/{layer}": lambda handler, _: handler.reply(
                307, headers={"Location": target}
            ),
            **registry.faults,
        }
        with pytest.raises(KnarrError):
            await desk.pull(f"{registry.host}/app:1", ANNA)
        assert elsewhere.asked
        assert thief.asked == []
        assert not [each for each in elsewhere.asked if "Authorization" in each.headers]


async def test_a_login_for_another_server_is_not_shown(registry: FakeRegistry, desk: Desk) -> None:
    def asking(handler: Handler, asked: Asked) -> None:
        handler.refuse(401, "UNAUTHORIZED", **{"WWW-Authenticate": 'Basic realm="x"'})

    registry.faults["/v2/"] = asking
    login = AuthConfig(username="anna", password="hunter22", serveraddress="other.example")
    with pytest.raises(Unauthorized, match="no basic auth credentials"):
        await desk.pull(f"{registry.host}/app:1", login)
    assert not [each for each in registry.asked if "Authorization" in each.headers]


async def test_the_dance_of_docker_hub(
    tokens: TokenService, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short name, a registry under another name, a token server of a third: one login for all."""
    tokens.registry.put_image("library/alpine", "latest", TAR)
    monkeypatch.setattr(table, "HUB_HOST", tokens.registry.host)
    desk.table = table.table_of(RegistrySettings(insecure_registries=("docker.io",)))
    desk.open()
    login = AuthConfig(
        username="anna", password="hunter22", serveraddress="https://index.docker.io/v1/"
    )
    found = await desk.pull("alpine", login)
    assert str(found.reference) == "docker.io/library/alpine:latest"
    assert desk.told[0].status == "Pulling from library/alpine"
    assert set.union(*tokens.issued.values()) == {"repository:library/alpine:pull"}
    assert all("library/alpine" in path for path in tokens.registry.paths() if path != "/v2/")
    shown = [each.headers.get("Authorization", "") for each in tokens.registry.asked]
    assert not any(each.startswith("Basic") for each in shown), "the password is the token server's"
    assert tokens.server.asked[0].headers["Authorization"].startswith("Basic")


async def test_the_hubs_login_is_not_for_other_registries(tokens: TokenService, desk: Desk) -> None:
    login = AuthConfig(
        username="anna", password="hunter22", serveraddress="https://index.docker.io/v1/"
    )
    with pytest.raises(Unauthorized):
        await desk.pull(f"{tokens.registry.host}/app:1", login)
    assert "Authorization" not in tokens.server.asked[0].headers
