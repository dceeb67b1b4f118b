"""A registry in this process that tells the truth, or lies as a test wants it to.

Plain `http.server` in threads, on loopback, independent of knarr's own server. What goes wrong is
said by ``faults``: a function by the beginning of a path, called instead of the honest answer.
"""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import re
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A layer's tar with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, list[str]]


class Handler(BaseHTTPRequestHandler):
    """One connection. Faults may use everything of ``BaseHTTPRequestHandler``."""

    protocol_version = "HTTP/1.1"
    wbufsize = 0
    disable_nagle_algorithm = True
    owner: "FakeRegistry"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            super().finish()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(self.command, parts.path, dict(self.headers), parse_qs(parts.query))
        with self.owner.lock:
            self.owner.asked.append(asked)
        for prefix, fault in list(self.owner.faults.items()):
            if parts.path.startswith(prefix) and fault(self, asked) is not False:
                return
        self.owner.answer(self, asked)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str = "", **headers: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.reply(status, body, {"Content-Type": "application/json", **headers})

    def cut(self) -> None:
        """Hang up without another word."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)


Fault = Callable[[Handler, Asked], Any]
"""Answers instead of the registry; returns False to leave it to the honest answer."""


@dataclass(eq=False)
class FakeRegistry:
    """Blobs, manifests, and every request that was made. A context manager."""

    tls: ssl.SSLContext | None = None
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        handler = type("BoundHandler", (Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def paths(self, method: str = "GET") -> list[str]:
        return [each.path for each in self.asked if each.method == method]

    # -- contents --------------------------------------------------------------------------------

    def put_blob(self, raw: bytes) -> dict[str, Any]:
        self.blobs[digest_of(raw)] = raw
        return {"digest": digest_of(raw), "size": len(raw)}

    def put_manifest(self, repository: str, tag: str, document: Any, media_type: str) -> str:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        for name in (tag, digest_of(raw)):
            self.manifests[f"{repository}/{name}"] = (media_type, raw)
        return digest_of(raw)

    def put_image(
        self, repository: str, tag: str, *tars: bytes, compression: str = "gzip", **config: Any
    ) -> dict[str, Any]:
        """An image of these layers; its manifest as a document."""
        layers = []
        for tar in tars:
            packed = gzip.compress(tar, 1, mtime=0) if compression == "gzip" else tar
            suffix = "+gzip" if compression == "gzip" else ""
            layers.append({"mediaType": OCI_LAYER + suffix, **self.put_blob(packed)})
        document = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]},
            **config,
        }
        config_blob = self.put_blob(json.dumps(document).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, **config_blob},
            "layers": layers,
        }
        self.put_manifest(repository, tag, manifest, OCI_MANIFEST)
        return manifest

    # -- honest answers --------------------------------------------------------------------------

    def answer(self, handler: Handler, asked: Asked) -> None:
        if asked.path == "/v2/":
            return handler.reply(200, b"{}")
        if match := re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", asked.path):
            return self._manifest(handler, f"{match[1]}/{match[2]}")
        if match := re.fullmatch(r"/v2/(.+)/blobs/(sha256:[0-9a-f]+)", asked.path):
            return self._blob(handler, match[2])
        if match := re.fullmatch(r"/v2/(.+)/tags/list", asked.path):
            return self._tags(handler, match[1], asked)
        return handler.refuse(404, "NAME_UNKNOWN", "repository name not known to registry")

    def _manifest(self, handler: Handler, key: str) -> None:
        if key not in self.manifests:
            return handler.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, raw = self.manifests[key]
        digest = {"Docker-Content-Digest": digest_of(raw)}
        return handler.reply(200, raw, {"Content-Type": media_type, **digest})

    def _blob(self, handler: Handler, digest: str) -> None:
        if digest not in self.blobs:
            return handler.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        raw = self.blobs[digest]
        if match := re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "")):
            start = int(match[1])
            if start >= len(raw):
                return handler.refuse(416, "RANGE_INVALID")
            span = f"bytes {start}-{len(raw) - 1}/{len(raw)}"
            return handler.reply(206, raw[start:], {"Content-Range": span})
        return handler.reply(200, raw)

    def _tags(self, handler: Handler, repository: str, asked: Asked) -> None:
        names = (key.rpartition("/") for key in self.manifests)
        tags = sorted(tag for name, _, tag in names if name == repository and ":" not in tag)
        size = int(asked.query.get("n", ["2"])[0])
        last = asked.query.get("last", [""])[0]
        page = [tag for tag in tags if tag > last][:size]
        headers = {"Content-Type": "application/json"}
        if page and page[-1] != tags[-1]:
            headers["Link"] = f'</v2/{repository}/tags/list?n={size}&last={page[-1]}>; rel="next"'
        handler.reply(200, json.dumps({"name": repository, "tags": page}).encode(), headers)


@contextlib.contextmanager
def fault(registry: FakeRegistry, prefix: str, behaviour: Fault) -> Iterator[None]:
    """For the length of a block, answer paths with this beginning otherwise."""
    registry.faults[prefix] = behaviour
    try:
        yield
    finally:
        del registry.faults[prefix]


def times(count: int, behaviour: Fault) -> Fault:
    """The behaviour for the first requests only, then honesty."""
    left = [count]

    def limited(handler: Handler, asked: Asked) -> Any:
        if left[0] <= 0:
            return False
        left[0] -= 1
        return behaviour(handler, asked)

    return limited


@dataclass(eq=False)
class TokenService:
    """Guards a registry with tokens that it hands out itself, from another origin.

    passwords: by user name; the empty name stands for anybody.
    identity: an identity token that is worth as much as a password.
    """

    registry: FakeRegistry
    server: FakeRegistry
    passwords: dict[str, str]
    identity: str = ""
    life_s: int = 300
    issued: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registry.faults["/v2/"] = self._guard
        self.server.faults["/token"] = self._issue

    @property
    def realm(self) -> str:
        return f"http://{self.server.host}/token"

    def challenge(self, asked: Asked, **more: str) -> str:
        name = asked.path.removeprefix("/v2/").split("/blobs")[0].split("/manifests")[0]
        parameters = {
            "realm": self.realm, "service": "test", "scope": f"repository:{name}:pull", **more,
        }  # fmt: skip
        return "Bearer " + ",".join(f'{key}="{value}"' for key, value in parameters.items())

    def _guard(self, handler: Handler, asked: Asked) -> Any:
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in self.issued:
            return False
        more = {"error": "invalid_token"} if token else {}
        handler.refuse(
            401, "UNAUTHORIZED", "authentication required",
            **{"WWW-Authenticate": self.challenge(asked, **more)},
        )  # fmt: skip
        return None

    def _issue(self, handler: Handler, asked: Asked) -> None:
        form: dict[str, list[str]] = asked.query
        if asked.method == "POST":
            length = int(asked.headers.get("Content-Length", "0"))
            form = parse_qs(handler.rfile.read(length).decode())
        if not self._is_known(asked, form):
            return handler.reply(
                401, json.dumps({"details": "incorrect username or password"}).encode()
            )
        token = f"token-{len(self.issued)}"
        self.issued[token] = {scope for text in form.get("scope", []) for scope in text.split()}
        body = {"token": token, "expires_in": self.life_s}
        if "offline" in form.get("access_type", []) or "offline_token" in form:
            body["refresh_token"] = self.identity
        return handler.reply(200, json.dumps(body).encode())

    def _is_known(self, asked: Asked, form: dict[str, list[str]]) -> bool:
        if "refresh_token" in form:
            return bool(self.identity) and form["refresh_token"] == [self.identity]
        if "password" in form:
            return self.passwords.get(form["username"][0]) == form["password"][0]
        packed = asked.headers.get("Authorization", "").removeprefix("Basic ")
        if not packed:
            return "" in self.passwords
        username, _, password = base64.b64decode(packed).decode().partition(":")
        return self.passwords.get(username) == password
