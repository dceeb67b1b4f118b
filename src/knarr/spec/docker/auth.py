"""Logins: what a client keeps in ``config.json`` and what it sends with a pull or a push.

Both towers read these: the client from its file, the engine from ``X-Registry-Auth``. A document
here never shows its secrets when it is printed.
Source: Engine API, "Authentication"; docker/cli, config file; docker-credential-helpers.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import msgspec

from knarr.errors import InvalidArgument
from knarr.spec.document import CamelDocument, SnakeDocument, decode, encode

HUB_SERVER: Final = "https://index.docker.io/v1/"
"""The key under which every Docker client keeps the login for ``docker.io``."""

TOKEN_USER: Final = "<token>"
"""The user name by which a helper says that its secret is an identity token."""

_HUB_NAMES: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class AuthConfig(SnakeDocument):
    """Who somebody is at one registry: a password, or a token that stands for it.

    auth: base64 of ``username:password``, as ``config.json`` has it.
    identitytoken: traded for access tokens (OAuth2 refresh token); stored instead of a password.
    registrytoken: an access token itself, sent as it is.
    """

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""

    def __repr__(self) -> str:
        return f"AuthConfig(username={self.username!r}, serveraddress={self.serveraddress!r})"

    def __bool__(self) -> bool:
        """Whether it proves anything: an empty object is sent by clients that know no login."""
        return bool(self.username or self.identitytoken or self.registrytoken)

    def unpacked(self) -> "AuthConfig":
        """With ``auth`` read into name and password. Raises InvalidArgument if it is broken."""
        if not self.auth:
            return self
        username, password = _user_and_password(self.auth)
        if username == TOKEN_USER:
            return msgspec.structs.replace(self, auth="", username="", identitytoken=password)
        return msgspec.structs.replace(self, auth="", username=username, password=password)


class StoredLogins(CamelDocument):
    """The part of ``config.json`` that is about logins.

    creds_store: suffix of the helper program that keeps all of them.
    cred_helpers: suffix by host; beats ``creds_store``.
    """

    auths: dict[str, AuthConfig] = msgspec.field(default_factory=dict)
    creds_store: str = ""
    cred_helpers: dict[str, str] = msgspec.field(default_factory=dict)

    def helper(self, server: str) -> str:
        """Suffix of the helper program for a server, empty where the file itself keeps logins."""
        return self.cred_helpers.get(hostname(server)) or self.creds_store


class HelperCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential helper reads on ``store`` and writes on ``get``."""

    server_url: str = msgspec.field(name="ServerURL", default="")
    username: str = msgspec.field(name="Username", default="")
    secret: str = msgspec.field(name="Secret", default="")

    def __repr__(self) -> str:
        return f"HelperCredentials(server_url={self.server_url!r}, username={self.username!r})"

    def auth_config(self) -> AuthConfig:
        if self.username == TOKEN_USER:
            return AuthConfig(serveraddress=self.server_url, identitytoken=self.secret)
        return AuthConfig(
            serveraddress=self.server_url, username=self.username, password=self.secret
        )


def read_header(value: str) -> AuthConfig:
    """The login of an ``X-Registry-Auth`` header; an empty header is an empty login.

    Raises InvalidArgument, without the header's text in it, when it cannot be read.
    """
    if not value:
        return AuthConfig()
    try:
        return decode(_unbase64(value), AuthConfig).unpacked()
    except (InvalidArgument, ValueError):
        raise InvalidArgument("invalid X-Registry-Auth header") from None


def read_config_header(value: str) -> dict[str, AuthConfig]:
    """The logins of an ``X-Registry-Config`` header, by server, as a build is given them."""
    if not value:
        return {}
    try:
        logins = decode(_unbase64(value), dict[str, AuthConfig])
    except (InvalidArgument, ValueError):
        raise InvalidArgument("invalid X-Registry-Config header") from None
    return {server: login.unpacked() for server, login in logins.items()}


def write_header(login: AuthConfig) -> str:
    """The ``X-Registry-Auth`` header for a login."""
    return base64.urlsafe_b64encode(encode(login)).decode("ascii")


def basic(username: str, password: str) -> str:
    """Base64 of ``username:password``: the form of both ``auth`` entries and HTTP's Basic."""
    return base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def server_of(domain: str) -> str:
    """The key of a registry's login: its host, but a URL for Docker Hub."""
    return HUB_SERVER if domain in _HUB_NAMES else domain


def hostname(server: str) -> str:
    """The host (and port) of a key, which older clients wrote as a URL."""
    bare = server.removeprefix("https://").removeprefix("http://")
    return bare.partition("/")[0]


def login_for(logins: Mapping[str, AuthConfig], domain: str) -> AuthConfig:
    """The login for a registry's domain, an empty one if there is none.

    An exact key wins over one that an older client wrote as a URL with the same host.
    """
    server = server_of(domain)
    if server in logins:
        return logins[server].unpacked()
    wanted = hostname(server)
    for key, login in logins.items():
        if hostname(key) == wanted:
            return login.unpacked()
    return AuthConfig()


def _user_and_password(packed: str) -> tuple[str, str]:
    try:
        username, colon, password = _unbase64(packed).decode().partition(":")
    except ValueError:
        raise InvalidArgument("invalid auth configuration: not base64") from None
    if not colon:
        raise InvalidArgument("invalid auth configuration: no password")
    return username, password.rstrip("\x00")


def _unbase64(text: str) -> bytes:
    """Either alphabet, padded or not: clients differ. Raises ValueError."""
    plain = text.strip().translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
