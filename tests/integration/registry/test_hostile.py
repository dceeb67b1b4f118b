"""Registries that lie: each lie is refused, with a bound on what it costs."""

import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.registry.conftest import Desk
from knarr.errors import Forbidden, InvalidArgument, KnarrError, Unavailable
from knarr.ids import Digest
from knarr.registry.origin import origin_of
from knarr.registry.retry import RetryPolicy
from knarr.registry.transport import Call, Proxies, Transport, Trust
from support.registry import Asked, FakeRegistry, Handler, digest_of, tar_of

TAR = tar_of({"noise": os.urandom(200_000)})


@pytest.fixture
def layer(registry: FakeRegistry) -> dict[str, Any]:
    """An image ``app:1`` of one layer, whose descriptor this is."""
    descriptor: dict[str, Any] = registry.put_image("app", "1", TAR)["layers"][0]
    return descriptor


async def refused(desk: Desk, registry: FakeRegistry, kind: type[KnarrError], words: str) -> None:
    """A pull fails in these words, and nothing wrong is left of it."""
    with pytest.raises(kind, match=words):
        await desk.pull(f"{registry.host}/app:1")
    assert desk.layers.tars == {}
    for digest in desk.blobs.digests():
        assert digest_of(desk.blobs.read(digest)) == digest
    assert os.listdir(desk.root / "blobs" / "tmp") == []


def serving(body: bytes) -> Callable[[Handler, Asked], None]:
    return lambda handler, _: handler.reply(200, body)


async def test_a_blob_with_another_digest(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    lie = bytearray(registry.blobs[layer["digest"]])
    lie[-9] ^= 1
    registry.faults[f"/v2/app/blobs/{layer['digest']}"] = serving(bytes(lie))
    await refused(desk, registry, InvalidArgument, "verification failed for digest|damaged")
    assert not desk.blobs.has(Digest(layer["digest"]))
    assert os.listdir(desk.root / "blobs" / "partial") == []


async def test_a_blob_longer_than_declared(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    body = registry.blobs[layer["digest"]] + b"more"
    registry.faults[f"/v2/app/blobs/{layer['digest']}"] = serving(body)
    await refused(desk, registry, InvalidArgument, "larger than the .* its manifest declares")


async def test_a_blob_shorter_than_declared(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    body = registry.blobs[layer["digest"]][:1000]

    def short(handler: Handler, asked: Asked) -> None:
        handler.reply(200, body)

    registry.faults[f"/v2/app/blobs/{layer['digest']}"] = short
    await refused(desk, registry, Unavailable, "broke off after 1000 of")
    assert len([each for each in registry.asked if layer["digest"] in each.path]) == 4


async def test_a_body_without_end(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    sent = [0]

    def endless(handler: Handler, asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        piece = b"%x\r\n%b\r\n" % (65536, bytes(65536))
        while True:
            handler.wfile.write(piece)
            sent[0] += 65536

    registry.faults[f"/v2/app/blobs/{layer['digest']}"] = endless
    await refused(desk, registry, InvalidArgument, "larger than|damaged")
    assert sent[0] < 32 << 20


@pytest.mark.parametrize("announced", [True, False])
async def test_a_manifest_of_100_megabytes(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any], announced: bool
) -> None:
    sent = [0]

    def huge(handler: Handler, asked: Asked) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(100 << 20))
        else:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        for _ in range(1600):
            handler.wfile.write(b" " * 65536)
            sent[0] += 65536

    registry.faults["/v2/app/manifests/"] = huge
    await refused(desk, registry, InvalidArgument, "larger than 4194304 bytes")
    assert sent[0] < 32 << 20


async def test_a_config_larger_than_declared(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    _, raw = registry.manifests["app/1"]
    config = raw.partition(b'"digest": "')[2][:71].decode()
    registry.faults[f"/v2/app/blobs/{config}"] = serving(registry.blobs[config] + b" " * 10)
    await refused(desk, registry, InvalidArgument, "larger than")


async def test_a_tag_that_is_answered_with_another_digest_than_named(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    media_type, raw = registry.manifests["app/1"]
    named = {"Docker-Content-Digest": "sha256:" + "0" * 64, "Content-Type": media_type}
    registry.faults["/v2/app/manifests/"] = lambda handler, _: handler.reply(200, raw, named)
    await refused(desk, registry, KnarrError, "manifest verification failed")


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "gopher://x/", "http://user:pw@127.0.0.1/", "http://[", "unix:/x"],
)
async def test_a_redirect_to_an_odd_place(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any], target: str
) -> None:
    def sending(handler: Handler, asked: Asked) -> None:
        handler.reply(307, headers={"Location": target})

    registry.faults[f"/v2/app/blobs/{layer['digest']}"] = sending
    await refused(desk, registry, Forbidden, "a registry (may not send|sent)")


async def test_redirects_without_end(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    def circling(handler: Handler, asked: Asked) -> None:
        handler.reply(307, headers={"Location": asked.path + "?again"})

    registry.faults[f"/v2/app/blobs/{layer['digest']}"] = circling
    await refused(desk, registry, InvalidArgument, "redirects without end")
    assert len(registry.asked) < 20


def test_an_address_from_outside_that_turns_out_to_be_this_machine(
    registry: FakeRegistry,
) -> None:
    """The fence is at the socket: whatever name led there, nothing is sent."""
    transport = Transport()
    for host in (registry.host, f"localhost:{registry.port}"):
        with pytest.raises(Forbidden, match="may not send its caller"):
            transport.send(Call(method="GET", url=f"http://{host}/"), Trust(fenced=True))
    transport.close()
    assert registry.asked == []


async def test_a_head_without_end(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    def heads(handler: Handler, asked: Asked) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            handler.wfile.write(b"X-%d: %b\r\n" % (number, b"y" * 1000))

    registry.faults["/v2/app/manifests/"] = heads
    await refused(desk, registry, Unavailable, "headers|reset|closed|broken")


async def test_words_that_would_take_over_a_terminal(
    registry: FakeRegistry, desk: Desk, layer: dict[str, Any]
) -> None:
    def shouting(handler: Handler, asked: Asked) -> None:
        handler.refuse(400, "NAME_INVALID", "\x1b]0;owned\x07" + "x" * 100_000)

    registry.faults["/v2/app/manifests/"] = shouting
    with pytest.raises(KnarrError) as caught:
        await desk.pull(f"{registry.host}/app:1")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 3000


async def test_one_byte_now_and_then(registry: FakeRegistry, tmp_path: Path) -> None:
    def trickling(handler: Handler, asked: Asked) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while True:
            handler.wfile.write(b" ")

    registry.faults["/slow"] = trickling
    transport = Transport()
    reply = transport.send(Call(method="GET", url=f"http://{registry.host}/slow"), Trust())
    with pytest.raises(Unavailable, match="takes too long"):
        reply.read_all(1 << 20, deadline_s=0.0)
    transport.close()


async def test_silence(registry: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "certs.d").mkdir()
    registry.put_image("app", "1", TAR)
    desk = Desk(
        root=tmp_path,
        certificates=tmp_path / "certs.d",
        read_timeout_s=0.05,
        policy=RetryPolicy(attempts=2, first_wait_s=0.001),
    )

    def silent(handler: Handler, asked: Asked) -> None:
        handler.connection.settimeout(5)
        handler.rfile.read(1)
        handler.close_connection = True

    registry.faults["/v2/app/blobs/"] = silent
    with pytest.raises(Unavailable, match="timed out"):
        await desk.pull(f"{registry.host}/app:1")
    await desk.close()


# -- TLS ------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str, subject: str) -> ssl.SSLContext:
    """A server that shows a certificate of its own making for ``subject``."""
    key, crt = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={subject}",
            "-keyout", str(key), "-out", str(crt),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return context


@pytest.fixture
def tls_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tls"
    folder.mkdir()
    return folder


def visit(registry: FakeRegistry, certificates: Path, trust: Trust) -> int:
    transport = Transport(certificates=[certificates])
    try:
        reply = transport.send(Call(method="GET", url=f"https://{registry.host}/v2/"), trust)
        reply.discard()
        return reply.status
    finally:
        transport.close()


@pytest.mark.needs("openssl")
def test_a_certificate_is_vouched_for_by_the_folder_of_its_host(tls_folder: Path) -> None:
    context = certificate(tls_folder, "right", "IP:127.0.0.1")
    with FakeRegistry(tls=context) as registry:
        with pytest.raises(Unavailable, match="failed to verify certificate"):
            visit(registry, tls_folder, Trust())
        folder = tls_folder / registry.host
        folder.mkdir()
        (folder / "ca.crt").write_bytes((tls_folder / "right.pem").read_bytes())
        assert visit(registry, tls_folder, Trust()) == 200


@pytest.mark.needs("openssl")
def test_a_certificate_for_another_name(tls_folder: Path) -> None:
    context = certificate(tls_folder, "wrong", "DNS:other.example")
    with FakeRegistry(tls=context) as registry:
        folder = tls_folder / registry.host
        folder.mkdir()
        (folder / "ca.crt").write_bytes((tls_folder / "wrong.pem").read_bytes())
        with pytest.raises(Unavailable, match="failed to verify certificate: IP address mismatch"):
            visit(registry, tls_folder, Trust())
        assert visit(registry, tls_folder, Trust(verify=False)) == 200
    assert [each.path for each in registry.asked] == ["/v2/"]


def test_a_certificate_file_that_is_none_is_named(tls_folder: Path) -> None:
    with FakeRegistry() as registry:
        folder = tls_folder / registry.host
        folder.mkdir()
        (folder / "ca.crt").write_text("nonsense")
        with pytest.raises(InvalidArgument, match=r"ca\.crt cannot be used"):
            visit(registry, tls_folder, Trust())


# -- the machine ----------------------------------------------------------------------------------


@pytest.mark.needs("root")
async def test_a_full_disk_is_told_at_once_and_given_back(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.put_image("app", "1", tar_of({"noise": os.urandom(3_000_000)}))
    small = tmp_path / "small"
    small.mkdir()
    (tmp_path / "certs.d").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", f"kn-{os.getpid()}", str(small)]
    subprocess.run(mount, check=True)
    try:
        desk = Desk(root=small, certificates=tmp_path / "certs.d")
        with pytest.raises(KnarrError, match="no space left on device"):
            await desk.pull(f"{registry.host}/app:1")
        assert len([each for each in registry.asked if "blobs" in each.path]) == 2
        assert list((small / "blobs" / "partial").iterdir()) == []
        await desk.close()
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("bypass", ["", "registry.example"])
def test_a_proxy_is_asked_for_the_whole_address(registry: FakeRegistry, bypass: str) -> None:
    proxies = Proxies(by_scheme={"http": f"http://{registry.host}"}, bypass=bypass)
    transport = Transport(proxies=proxies)
    call = Call(method="GET", url="http://registry.example/v2/?a=b#c")
    if bypass:
        with pytest.raises(Unavailable):
            transport.send(call, Trust())
    else:
        reply = transport.send(call, Trust())
        assert (reply.status, reply.read_all(100)) == (200, b"{}")
        assert [(each.path, each.query) for each in registry.asked] == [("/v2/", {"a": ["b"]})]
    transport.close()


def test_proxies_are_read_from_the_environment() -> None:
    proxies = Proxies.from_environment(
        {"HTTPS_PROXY": "http://p.example:3128", "no_proxy": "inner.example,10.0.0.0/8"}
    )
    outside, inner = origin_of("https://quay.io/v2/"), origin_of("https://inner.example/v2/")
    assert proxies.proxy_for(outside) == "http://p.example:3128"
    assert proxies.proxy_for(inner) is None
    assert proxies.proxy_for(origin_of("http://quay.io/")) is None
    assert proxies.proxy_for(origin_of("https://127.0.0.1:5000/")) is None
