"""Where an engine listens: ``unix://``, ``tcp://`` with or without TLS, ``ssh://``.

Source: formats.md of the Docker CLI reference: "HTTP basics", "Environment variables".
"""

from __future__ import annotations

import os

from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

KNARR_SOCKET: Final = "/run/knarr/knarr.sock"
PLAIN_PORT, TLS_PORT, SSH_PORT = 2375, 2376, 22


class Tls:
    """The files of a TLS connection; an empty name means none. ``verify``: check the server."""

    __slots__ = ("ca", "cert", "key", "verify")

    def __init__(self, *, ca: str = "", cert: str = "", key: str = "", verify: bool = True) -> None:
        self.ca = ca
        self.cert = cert
        self.key = key
        self.verify = verify

    @classmethod
    def folder(cls, path: str, *, verify: bool = True) -> Tls:
        """``ca.pem``, ``cert.pem`` and ``key.pem`` of a folder, as far as they are there."""
        files = {
            word: file if os.path.exists(file := os.path.join(path, f"{word}.pem")) else ""
            for word in ("ca", "cert", "key")
        }
        return cls(**files, verify=verify)


class Endpoint:
    """One engine's address, in parts.

    scheme: "unix", "tcp" or "ssh"; ``path`` is the socket's (unix) or a prefix of every target
    (tcp); ``text`` is what people are shown.
    """

    __slots__ = ("host", "path", "port", "scheme", "text", "tls", "user")

    def __init__(
        self,
        scheme: str,
        text: str,
        *,
        path: str = "",
        host: str = "",
        port: int = 0,
        user: str = "",
        tls: Tls | None = None,
    ) -> None:
        self.scheme = scheme
        self.text = text
        self.path = path
        self.host = host
        self.port = port
        self.user = user
        self.tls = tls

    @classmethod
    def parse(cls, text: str, *, tls: Tls | None = None) -> Endpoint:
        """The endpoint that ``text`` names, in the spellings of DOCKER_HOST.

        Raises InvalidArgument in Docker's words.
        """
        text = text.strip()
        scheme, mark, rest = text.partition("://")
        if not mark:
            scheme, rest = "tcp", text
        if scheme == "unix":
            path = rest or "/var/run/docker.sock"
            return cls("unix", f"unix://{path}", path=path)
        if scheme == "tcp":
            return cls._tcp(text, rest, tls)
        if scheme == "ssh":
            return cls._ssh(text, rest)
        if scheme == "npipe":
            raise InvalidArgument("protocol not available")
        if scheme == "fd":
            raise InvalidArgument(f"unable to parse docker host `{text}`")
        raise InvalidArgument(
            f"unable to resolve docker endpoint: invalid bind address format: {text}"
        )

    @classmethod
    def _tcp(cls, text: str, rest: str, tls: Tls | None) -> Endpoint:
        authority, slash, path = rest.partition("/")
        host, port = _host_and_port(authority, text)
        host = host or "localhost"
        port = port or (TLS_PORT if tls else PLAIN_PORT)
        prefix = slash + path if path else ""
        shown = f"[{host}]" if ":" in host else host
        whole = f"tcp://{shown}:{port}{prefix}"
        return cls("tcp", whole, host=host, port=port, path=prefix.rstrip("/"), tls=tls)

    @classmethod
    def _ssh(cls, text: str, rest: str) -> Endpoint:
        problem = "ssh host connection is not valid: invalid SSH URL: "
        rest, question, asked = rest.partition("?")
        if question:
            raise InvalidArgument(f'{problem}query parameters are not allowed: "{asked}"')
        authority, _, path = rest.partition("/")
        user, at, address = authority.rpartition("@")
        if ":" in user:
            raise InvalidArgument(f"{problem}plain-text password is not supported")
        host, port = _host_and_port(address, text)
        if not host or host.startswith("-") or user.startswith("-"):
            raise InvalidArgument(f"{problem}hostname is empty")
        return cls("ssh", text, host=host, port=port, user=user if at else "", path=path)

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        if self.scheme != "tcp":
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def ssh_command(self) -> list[str]:
        """The program that connects to the engine on the far side of an ssh endpoint."""
        argv = ["ssh", "-o", "ConnectTimeout=30", "-T"]
        argv += ["-l", self.user] if self.user else []
        argv += ["-p", str(self.port)] if self.port else []
        remote = ["docker"]
        remote += ["--host", f"unix:///{self.path}"] if self.path else []
        return [*argv, "--", self.host, *remote, "system", "dial-stdio"]


def _host_and_port(authority: str, text: str) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, ""
    if port and not (port.isdecimal() and int(port) < 65536):
        raise InvalidArgument(
            f'unable to resolve docker endpoint: parse "{text}": invalid port ":{port}" after host'
        )
    return host.removeprefix("[").removesuffix("]"), int(port or 0)


def tls_of(environ: Mapping[str, str], config_folder: str) -> Tls | None:
    """What DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH say; None without TLS."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not environ.get("DOCKER_TLS"):
        return None
    return Tls.folder(environ.get("DOCKER_CERT_PATH") or config_folder, verify=verify)
