"""A token server as Debian's registry wants one: signed tokens, and a certificate to check them by.

Source: distribution, "Token Authentication Specification" and its JWT form; RFC 7515, 7519.
"""

import base64
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from support.peers import Account, answering, free_port, running
from support.registry import Asked, FakeRegistry, Handler

_ISSUER = "a test's own"
_SERVICE = "debians"


class SignedTokens:
    """Answers ``/token`` of a FakeRegistry: GET with Basic, and POST as OAuth2 has it."""

    def __init__(self, folder: Path, account: Account) -> None:
        self._account = account
        self._key, self.certificate = folder / "token.key", folder / "token.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=tokens", "-keyout", str(self._key), "-out", str(self.certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        lines = self.certificate.read_text().splitlines()
        self._x5c = "".join(line for line in lines if not line.startswith("-"))

    def answer(self, handler: Handler, asked: Asked) -> None:
        form = asked.query
        if asked.method == "POST":
            length = int(asked.headers.get("Content-Length", "0"))
            form = parse_qs(handler.rfile.read(length).decode())
        user, password = self._login(asked, form)
        if (user, password) != (self._account.username, self._account.password):
            return handler.refuse(401, "UNAUTHORIZED", "incorrect username or password")
        scopes = [each for text in form.get("scope", []) for each in text.split()]
        token = self._token(user, scopes)
        body = json.dumps({"token": token, "access_token": token, "expires_in": 300}).encode()
        return handler.reply(200, body, {"Content-Type": "application/json"})

    def _login(self, asked: Asked, form: dict[str, list[str]]) -> tuple[str, str]:
        if "password" in form:
            return form["username"][0], form["password"][0]
        packed = asked.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(packed).decode().partition(":")
        return user, password

    def _token(self, user: str, scopes: list[str]) -> str:
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {
            "iss": _ISSUER, "sub": user, "aud": _SERVICE, "exp": now + 300, "nbf": now - 10,
            "iat": now, "jti": secrets.token_hex(8), "access": access,
        }  # fmt: skip
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self._x5c]}
        signed = f"{_packed(head)}.{_packed(claims)}"
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self._key)],
            input=signed.encode(), check=True, capture_output=True,
        ).stdout  # fmt: skip
        return f"{signed}.{_base64url(signature)}"


def _packed(document: dict[str, Any]) -> str:
    return _base64url(json.dumps(document).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@contextmanager
def docker_registry_with_tokens(folder: Path, account: Account) -> Iterator[str]:
    """Debian's ``docker-registry``, guarded by a token server of the test's own; host and port."""
    tokens, port = SignedTokens(folder, account), free_port()
    config = folder / "tokens.yml"
    with FakeRegistry() as server:
        server.faults["/token"] = tokens.answer
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/guarded}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n"
            f"auth: {{token: {{realm: 'http://{server.host}/token', service: {_SERVICE},"
            f' issuer: "{_ISSUER}", rootcertbundle: {tokens.certificate}}}}}\n'
        )
        with running("docker-registry", "serve", str(config)):
            answering(f"http://127.0.0.1:{port}/v2/")
            yield f"127.0.0.1:{port}"
