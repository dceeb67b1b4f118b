"""Credentials of registries: in the configuration file, or with a helper program.

Source: formats.md, "Client configuration"; docker-credential-helpers, its protocol.
"""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass

from knarr.cli.cli import Cli
from knarr.cli.config import Config
from knarr.client.lean import Any, Final
from knarr.errors import KnarrError, Unavailable

HUB: Final = "docker.io"
HUB_KEY: Final = "https://index.docker.io/v1/"  # under which Docker keeps what is for the hub
_TOKEN_USER: Final = "<token>"  # a helper's user name when the secret is an identity token
_NOT_FOUND: Final = "credentials not found in native keychain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who somebody is to a registry; a password or an identity token."""

    server: str
    username: str = ""
    password: str = ""
    identity_token: str = ""

    def document(self) -> dict[str, str]:
        """An AuthConfig."""
        values = {
            "username": self.username,
            "password": self.password,
            "identitytoken": self.identity_token,
            "serveraddress": self.server,
        }
        return {name: value for name, value in values.items() if value}


def key_of(registry: str) -> str:
    """The name under which a registry's credentials are kept."""
    return HUB_KEY if registry in ("", HUB, "index.docker.io") else registry


def header_for(cli: Cli, registry: str) -> str:
    """The value of X-Registry-Auth for a registry: base64url of an AuthConfig."""
    found = find(cli, key_of(registry))
    document = found.document() if found else {}
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def find(cli: Cli, server: str) -> Credentials | None:
    """What is kept for a server; None where nothing is."""
    if given := cli.environ.get("DOCKER_AUTH_CONFIG"):
        try:
            auths = json.loads(given).get("auths", {})
        except (ValueError, AttributeError) as error:
            raise KnarrError(f"DOCKER_AUTH_CONFIG cannot be read: {error}") from error
        if found := _from_entries(auths, server):
            return found
    config = cli.config
    if helper := _helper(config, server):
        return _ask_helper(helper, server)
    return _from_entries(config.values.get("auths") or {}, server)


def known(cli: Cli) -> list[Credentials]:
    """Everything that is kept, for a build that may fetch from any registry."""
    config = cli.config
    servers = {*(config.values.get("auths") or {}), *(config.values.get("credHelpers") or {})}
    if helper := config.text("credsStore"):
        servers |= set(_answer(helper, "list", ""))
    found = (find(cli, server) for server in sorted(servers))
    return [each for each in found if each is not None]


def _from_entries(auths: dict[str, Any], server: str) -> Credentials | None:
    wanted = _host(server)
    for key, entry in auths.items():
        if (key == server or _host(key) == wanted) and isinstance(entry, dict):
            return _from_entry(server, entry)
    return None


def _host(server: str) -> str:
    return server.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _from_entry(server: str, entry: dict[str, Any]) -> Credentials:
    username, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth"):
        try:
            text = base64.b64decode(entry["auth"], validate=True).decode()
        except ValueError as error:
            raise KnarrError(f"the credentials of {server} cannot be read: {error}") from error
        username, _, password = text.partition(":")
    return Credentials(
        server=server,
        username=username,
        password=password.rstrip("\0"),
        identity_token=entry.get("identitytoken", ""),
    )


def store(cli: Cli, credentials: Credentials) -> str:
    """Keep them; answers with the place: a helper's name, or the file's path."""
    config = cli.config
    if helper := _helper(config, credentials.server):
        secret = credentials.identity_token or credentials.password
        user = _TOKEN_USER if credentials.identity_token else credentials.username
        document = {"ServerURL": credentials.server, "Username": user, "Secret": secret}
        _run_helper(helper, "store", json.dumps(document))
        config.values.setdefault("auths", {})[credentials.server] = {}
    else:
        pair = f"{credentials.username}:{credentials.password}".encode()
        entry = {"auth": base64.b64encode(pair).decode()}
        if credentials.identity_token:
            entry = {
                "auth": base64.b64encode(f"{credentials.username}:".encode()).decode(),
                "identitytoken": credentials.identity_token,
            }
        config.values.setdefault("auths", {})[credentials.server] = entry
    config.write()
    return helper or f"{config.folder}/config.json"


def erase(cli: Cli, server: str) -> bool:
    """Forget them; whether there was something to forget."""
    config = cli.config
    auths = config.values.get("auths") or {}
    keys = [key for key in auths if key == server or _host(key) == _host(server)]
    if helper := _helper(config, server):
        for key in keys or [server]:
            _run_helper(helper, "erase", key)
    for key in keys:
        del auths[key]
    if keys:
        config.write()
    return bool(keys)


def _helper(config: Config, server: str) -> str:
    """The suffix of the helper program for a server; empty for the file itself."""
    helpers = config.values.get("credHelpers")
    if isinstance(helpers, dict) and (named := helpers.get(server) or helpers.get(_host(server))):
        return str(named)
    return config.text("credsStore")


def _ask_helper(helper: str, server: str) -> Credentials | None:
    try:
        answer = _answer(helper, "get", server)
    except Unavailable as error:
        if _NOT_FOUND in str(error):
            return None
        raise
    if answer.get("Username") == _TOKEN_USER:
        return Credentials(server=server, identity_token=answer.get("Secret", ""))
    return Credentials(
        server=server, username=answer.get("Username", ""), password=answer.get("Secret", "")
    )


def _answer(helper: str, verb: str, said: str) -> dict[str, Any]:
    """Raises Unavailable, without what it said in the text, where that is no JSON object."""
    try:
        answer = json.loads(_run_helper(helper, verb, said))
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unavailable(
            f"error getting credentials - err: docker-credential-{helper} {verb} did not answer"
            " with a JSON object"
        )
    return answer


def _run_helper(helper: str, verb: str, said: str) -> str:
    program = f"docker-credential-{helper}"
    try:
        result = subprocess.run(
            [program, verb], input=said, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise Unavailable(
            f'error getting credentials - err: exec: "{program}": {error.strerror}'
        ) from error
    if result.returncode:
        # It may say again what it was told to keep: only what it says of itself is passed on.
        told = result.stdout.strip() if verb != "store" else "…"
        raise Unavailable(
            f"error getting credentials - err: exit status {result.returncode}, out: `{told}`"
        )
    return result.stdout
