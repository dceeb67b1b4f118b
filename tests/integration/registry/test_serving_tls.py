"""Our registry behind TLS: its certificate is shown, blobs and tokens go through it."""

import asyncio
import select
import socket
import ssl
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from integration.registry.conftest import Desk
from integration.registry.test_hostile import certificate
from knarr.errors import InvalidArgument, NotFound, Unavailable
from knarr.registry.server.serve import running
from knarr.registry.server.settings import Settings
from knarr.registry.transport import Call, Transport, Trust
from knarr.spec.docker.auth import AuthConfig
from support.parcels import noise, parcel, push
from support.peers import ANNA, htpasswd

pytestmark = pytest.mark.needs("openssl", "htpasswd")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    certificate(tmp_path, "own", "IP:127.0.0.1")
    (tmp_path / "users").write_text(htpasswd(ANNA))
    return Settings(
        port=0,
        root=tmp_path / "registry",
        collect_every_s=0,
        tls_cert=tmp_path / "own.pem",
        tls_key=tmp_path / "own.key",
        htpasswd=tmp_path / "users",
        tokens=True,
    )


async def test_what_is_pushed_is_pulled_through_tls(settings: Settings, desk: Desk) -> None:
    login = AuthConfig(username=ANNA.username, password=ANNA.password)
    tar = noise(3_000_000)
    async with running(settings) as url:
        assert url.startswith("https://")
        name = url.removeprefix("https://") + "/team/app:1"
        await push(desk, name, parcel(desk.blobs, tar), login)
        with pytest.raises(NotFound, match="docker login"):
            await desk.find(name)
        other = Desk(root=desk.root / "other", certificates=desk.certificates)
        await other.pull(name, login)
        assert list(other.layers.tars.values()) == [tar]
        await other.close()


async def test_its_certificate_is_judged(settings: Settings, tmp_path: Path) -> None:
    async with running(settings) as url:
        folder = tmp_path / "certs.d" / url.removeprefix("https://")
        transport = Transport(certificates=[folder.parent])
        call = Call(method="GET", url=f"{url}/v2/")
        with pytest.raises(Unavailable, match="failed to verify certificate"):
            await asyncio.to_thread(transport.send, call, Trust())
        transport.close()
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes((tmp_path / "own.pem").read_bytes())
        transport = Transport(certificates=[folder.parent])
        reply = await asyncio.to_thread(transport.send, call, Trust())
        assert reply.status == 401
        assert (reply.header("WWW-Authenticate") or "").startswith(f'Bearer realm="{url}/token"')
        reply.close()
        transport.close()


async def test_who_leaves_without_a_word_ends_nobody_elses_connection(
    settings: Settings, tmp_path: Path
) -> None:
    """The server says goodbye first here, and waits for an answer that does not come."""
    trusted = ssl.create_default_context(cafile=tmp_path / "own.pem")
    async with running(replace(settings, silence_s=0.1)) as url:
        host, _, port = url.removeprefix("https://").partition(":")

        def leave() -> None:
            with (
                socket.create_connection((host, int(port)), 20) as plain,
                trusted.wrap_socket(plain, server_hostname=host) as tls,
            ):
                tls.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
                while tls.recv(4096):
                    pass
                hung_up = select.poll()
                hung_up.register(tls.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
                assert hung_up.poll(20_000)

        def asked() -> int:
            with urllib.request.urlopen(f"{url}/token?service=x", context=trusted) as answer:
                return int(answer.status)

        await asyncio.to_thread(leave)
        assert await asyncio.to_thread(asked) == 200


async def test_a_certificate_that_cannot_be_used_is_named(settings: Settings) -> None:
    assert settings.tls_cert is not None
    settings.tls_cert.write_text("nonsense")
    with pytest.raises(InvalidArgument, match=r"cannot use .*own\.pem and its key"):
        async with running(settings):
            pass
