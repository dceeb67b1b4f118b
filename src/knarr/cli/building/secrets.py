"""What steps may know and nobody else: secrets by value, SSH agents by their sockets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

from knarr.cli.cli import Cli
from knarr.errors import InvalidArgument, Unsupported

_SECRET_MAX: Final = 500 << 10  # bytes


def parse_secret(text: str, environ: Mapping[str, str]) -> tuple[str, bytes]:
    """``id=NAME[,src=FILE][,env=VARIABLE]``. Raises InvalidArgument in BuildKit's words."""
    fields = {name: value for name, _, value in (each.partition("=") for each in text.split(","))}
    unknown = fields.keys() - {"id", "src", "source", "env", "type"}
    if unknown:
        raise InvalidArgument(f"unexpected key '{min(unknown)}' in '{text}'")
    path = fields.get("src") or fields.get("source") or ""
    name = fields.get("id") or os.path.basename(path) or fields.get("env", "")
    if not name:
        raise InvalidArgument(f"secret missing 'id' in '{text}'")
    check_name(name)
    kind = fields.get("type") or ("env" if fields.get("env") else "")
    if kind == "env" or (not kind and not path and name in environ):
        variable = fields.get("env") or path or name
        if variable not in environ:
            raise InvalidArgument(f"secret {name}: there is no variable {variable}")
        return name, environ[variable].encode(errors="surrogateescape")
    return name, secret_file(path or name)


def check_name(name: str) -> None:
    """It becomes a member of an archive. Raises InvalidArgument."""
    if "/" in name or name in {"", ".", ".."}:
        raise InvalidArgument(f"invalid secret id '{name}'")


def secret_file(path: str) -> bytes:
    """Raises InvalidArgument for what cannot be read, or is too large."""
    try:
        with open(path, "rb") as file:
            value = file.read(_SECRET_MAX + 1)
    except OSError as error:
        raise InvalidArgument(f"failed to stat {path}: {error.strerror}") from error
    if len(value) > _SECRET_MAX:
        raise InvalidArgument(f"invalid secret size: more than {_SECRET_MAX >> 10} KiB")
    return value


def agents_of(texts: Iterable[str], cli: Cli) -> dict[str, str]:
    """``default`` or ``ID=SOCKET``: sockets by id. The engine mounts them, so it has to be here."""
    agents: dict[str, str] = {}
    for text in texts:
        name, _, path = text.partition("=")
        path = path or cli.environ.get("SSH_AUTH_SOCK", "")
        if not path:
            raise InvalidArgument("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set")
        if os.path.isfile(path):
            raise Unsupported(
                f"{path} is a key, not an agent's socket: load it with ssh-add, and say default"
            )
        agents[name or "default"] = os.path.abspath(path)
    if agents and cli.endpoint()[0].scheme != "unix":
        raise Unsupported("--ssh needs an engine on this machine: its steps use the agent's socket")
    return agents
