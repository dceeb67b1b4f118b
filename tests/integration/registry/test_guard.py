"""Our registry with a guard: passwords, tokens, rights by repository."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from integration.registry.conftest import Desk
from integration.registry.test_server import Client
from knarr.errors import Forbidden, KnarrError, NotFound, Unauthorized
from knarr.registry.registries import Logins
from knarr.registry.server.serve import running
from knarr.registry.server.settings import Settings
from knarr.spec.docker.auth import AuthConfig
from support.parcels import noise, parcel, push
from support.peers import ANNA, Account, htpasswd

pytestmark = pytest.mark.needs("htpasswd")
BERT = Account(username="bert", password="battery staple")
RULES = """
anna  **         pull,push,delete
bert  team/**    pull
*     public/**  pull
"""


def login(account: Account) -> AuthConfig:
    return AuthConfig(username=account.username, password=account.password)


def basic(account: Account) -> str:
    packed = base64.b64encode(f"{account.username}:{account.password}".encode()).decode()
    return f"Basic {packed}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "htpasswd").write_text(htpasswd(ANNA) + htpasswd(BERT))
    (tmp_path / "access").write_text(RULES)
    return Settings(
        port=0,
        root=tmp_path / "registry",
        htpasswd=tmp_path / "htpasswd",
        access=tmp_path / "access",
        collect_every_s=0,
    )


@pytest.fixture(params=[False, True], ids=["passwords", "tokens"])
async def host(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with running(replace(settings, tokens=request.param)) as url:
        yield url.removeprefix("http://")


async def test_each_may_do_what_the_rules_say(host: str, desk: Desk) -> None:
    image = parcel(desk.blobs, noise(1000))
    for name in ("team/app:1", "public/app:1", "secret/app:1"):
        await push(desk, f"{host}/{name}", image, login(ANNA))
    await desk.pull(f"{host}/team/app:1", login(BERT))
    await desk.pull(f"{host}/public/app:1")
    with pytest.raises((Unauthorized, NotFound, Forbidden)):
        await desk.pull(f"{host}/secret/app:1", login(BERT))
    with pytest.raises((Unauthorized, NotFound)):
        await desk.pull(f"{host}/team/app:1")
    for name, who in (("team/app:2", login(BERT)), ("public/app:2", AuthConfig())):
        with pytest.raises((Unauthorized, Forbidden)):
            await push(desk, f"{host}/{name}", image, who)


async def test_a_wrong_password_is_refused(host: str, desk: Desk) -> None:
    wrong = AuthConfig(username="anna", password="nope")
    with pytest.raises(Unauthorized):
        await desk.pull(f"{host}/team/app:1", wrong)


async def test_a_blob_is_not_mounted_from_where_one_may_not_pull(
    host: str, desk: Desk, settings: Settings
) -> None:
    settings.access.write_text(RULES + "bert own/** pull,push\n") if settings.access else None
    secret = parcel(desk.blobs, tar := noise(100_000))
    await push(desk, f"{host}/secret/app:1", secret, login(ANNA))
    desk.told.clear()
    stolen = parcel(desk.blobs, tar, neighbours=("secret/app",))
    with pytest.raises(KnarrError):
        await push(desk, f"{host}/own/app:1", stolen, login(BERT))
    assert not [text for text in desk.statuses() if text.startswith("Mounted")]


async def test_lists_show_what_the_caller_may_pull(settings: Settings, desk: Desk) -> None:
    async with running(settings) as url:
        image = parcel(desk.blobs, noise(1000))
        for name in ("team/app", "public/app", "secret/app"):
            await push(desk, f"{url.removeprefix('http://')}/{name}:1", image, login(ANNA))
        client = Client(url)
        everything = await client("GET", "/v2/_catalog", Authorization=basic(ANNA))
        assert everything.json["repositories"] == ["public/app", "secret/app", "team/app"]
        some = await client("GET", "/v2/_catalog", Authorization=basic(BERT))
        assert some.json["repositories"] == ["public/app", "team/app"]
        page = await client("GET", "/repository/secret/app", Authorization=basic(BERT))
        assert page.status == 404
        found = await client("GET", "/v1/search?q=app")
        assert [each["name"] for each in found.json["results"]] == ["public/app"]


async def test_the_token_server_speaks_both_dialects(settings: Settings) -> None:
    async with running(replace(settings, tokens=True)) as url:
        client = Client(url)
        asked = await client("GET", "/v2/")
        assert asked.status == 401
        assert f'realm="{url}/token"' in asked.headers["www-authenticate"]
        scope = "scope=repository:team/app:pull,push"
        answer = await client("GET", f"/token?{scope}", Authorization=basic(BERT))
        assert answer.json["scope"] == "repository:team/app:pull"
        assert "refresh_token" not in answer.json
        bearer = f"Bearer {answer.json['token']}"
        assert (await client("GET", "/v2/", Authorization=bearer)).status == 200
        refused = await client("POST", "blobs/uploads/", Authorization=bearer)
        assert refused.status == 401
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]

        form = {"grant_type": "password", "access_type": "offline", "username": "anna",
                "password": ANNA.password, "scope": "repository:team/app:pull,push"}  # fmt: skip
        granted = await client("POST", "/token", urlencode(form).encode())
        identity = granted.json["refresh_token"]
        again = {"grant_type": "refresh_token", "refresh_token": identity, "scope": form["scope"]}
        renewed = await client("POST", "/token", urlencode(again).encode())
        assert renewed.json["scope"] == "repository:team/app:pull,push"
        assert settings.htpasswd
        changed = Account(username="anna", password="another")
        settings.htpasswd.write_text(htpasswd(changed) + htpasswd(BERT))
        assert (await client("POST", "/token", urlencode(again).encode())).status == 401
        for wrong in ({**form, "password": "x"}, {"grant_type": "refresh_token"}, {}):
            assert (await client("POST", "/token", urlencode(wrong).encode())).status == 401


async def test_login_proves_a_password_and_brings_an_identity(
    settings: Settings, desk: Desk
) -> None:
    from knarr.registry.login import login as prove

    async with running(replace(settings, tokens=True)) as url:
        host = url.removeprefix("http://")
        answer = await prove(desk.registries, replace_server(login(ANNA), host))
        assert answer.status == "Login Succeeded"
        assert answer.identity_token
        with pytest.raises(Unauthorized):
            await prove(desk.registries, AuthConfig(username="anna", password="x",
                                                    serveraddress=host))  # fmt: skip
        identity = AuthConfig(identitytoken=answer.identity_token)
        await push(desk, f"{host}/team/app:1", parcel(desk.blobs, noise(10)), identity)
        assert Logins().for_domain(host) == AuthConfig()


def replace_server(config: AuthConfig, server: str) -> AuthConfig:
    return AuthConfig(username=config.username, password=config.password, serveraddress=server)
