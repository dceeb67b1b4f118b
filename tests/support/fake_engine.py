"""An engine that answers what a test tells it to, and remembers what it was asked."""

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import socket
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Hijacker = Callable[[socket], None]


@dataclass(frozen=True)
class Asked:
    """One request, without the version in its path."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """A status and a body; a hijacker takes the connection over instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hijacker: Hijacker | None = None
    chunks: tuple[bytes, ...] | None = None


class FakeEngine:
    """Answers by method and path: ``engine.answers["GET", "/info"] = Answer(body={})``."""

    def __init__(self, folder: Path, *, api_version: str) -> None:
        self.path = folder / "engine.sock"
        self.api_version = api_version
        self.answers: dict[tuple[str, str], Answer] = {}
        self.asked: list[Asked] = []
        self.pong = Answer(headers={"Content-Type": "text/plain"})

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    def answer_to(self, asked: Asked) -> Answer:
        if asked.path == "/_ping":
            return self.pong
        self.asked.append(asked)
        missing = Answer(status=404, body={"message": f"no answer to {asked.method} {asked.path}"})
        return self.answers.get((asked.method, asked.path), missing)

    def requests(self) -> list[str]:
        """What was asked, in order: ``POST /containers/create?name=x``."""
        return [
            f"{each.method} {each.path}" + ("?" + "&".join(
                f"{name}={value}" for name, values in each.query.items() for value in values
            ) if each.query else "")
            for each in self.asked
        ]  # fmt: skip


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    engine: FakeEngine

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may leave whenever it likes: that is no failure of the engine."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        version, _, rest = parts.path[1:].partition("/")
        path = f"/{rest}" if version.startswith("v1.") else parts.path
        asked = Asked(self.command, path, parse_qs(parts.query, keep_blank_values=True),
                      {k.lower(): v for k, v in self.headers.items()}, self._body())  # fmt: skip
        self._send(self.server.engine.answer_to(asked))

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            out = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                out += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return out
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else (
            b"" if answer.body is None else json.dumps(answer.body).encode()
        )  # fmt: skip
        if answer.hijacker is not None:
            self.send_response_only(101, "UPGRADED")
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", "tcp")
            self.end_headers()
            self.wfile.flush()
            answer.hijacker(self.connection)
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        headers = {
            "Api-Version": self.server.engine.api_version,
            "Ostype": "linux",
            "Content-Type": "application/json",
            **answer.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.chunks is not None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in answer.chunks:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = _serve  # noqa: N815


@contextmanager
def fake_engine(*, api_version: str = "1.51") -> Iterator[FakeEngine]:
    """One, on a socket of its own, for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="knarr-fake-") as folder:
        engine = FakeEngine(Path(folder), api_version=api_version)
        server = _Server(str(engine.path), _Handler)
        server.engine = engine
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
