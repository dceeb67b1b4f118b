"""Contexts: endpoints under a name, in ``~/.docker/contexts``, shared with docker's own client.

    contexts/meta/<sha256 of the name>/meta.json        name, description, endpoint
    contexts/tls/<sha256 of the name>/docker/*.pem      the files of its TLS connection

Source: formats.md, "Context store".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass, field

from knarr.client.endpoint import Endpoint, Tls
from knarr.client.lean import Any, Final
from knarr.errors import InvalidArgument, NotFound

DEFAULT: Final = "default"
TLS_FILES: Final = ("ca.pem", "cert.pem", "key.pem")
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One context, as its file has it."""

    name: str
    description: str = ""
    host: str = ""
    skip_verify: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)  # other clients' keys, kept as they are

    def document(self) -> dict[str, Any]:
        metadata = {**self.metadata}
        if self.description:
            metadata["Description"] = self.description
        endpoint = {"Host": self.host, "SkipTLSVerify": self.skip_verify}
        return {"Name": self.name, "Metadata": metadata, "Endpoints": {"docker": endpoint}}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Context:
        metadata = dict(document.get("Metadata") or {})
        endpoint = (document.get("Endpoints") or {}).get("docker") or {}
        return cls(
            name=document.get("Name", ""),
            description=metadata.pop("Description", ""),
            host=endpoint.get("Host", ""),
            skip_verify=bool(endpoint.get("SkipTLSVerify")),
            metadata=metadata,
        )


def check_name(name: str) -> None:
    """Raises InvalidArgument in Docker's words for a name that no new context may have."""
    if name == "":
        raise InvalidArgument("context name cannot be empty")
    if name == DEFAULT:
        raise InvalidArgument('"default" is a reserved context name')
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f'context name "{name}" is invalid, names are validated against regexp '
            '"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"'
        )


class ContextStore:
    """The contexts of one configuration folder."""

    def __init__(self, config_folder: str) -> None:
        self._root = os.path.join(config_folder, "contexts")

    def _folder(self, kind: str, name: str) -> str:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return os.path.join(self._root, kind, digest)

    def meta_folder(self, name: str) -> str:
        return self._folder("meta", name)

    def tls_folder(self, name: str) -> str:
        return self._folder("tls", name)

    def names(self) -> list[str]:
        """In alphabetical order."""
        try:
            folders = os.listdir(os.path.join(self._root, "meta"))
        except FileNotFoundError:
            return []
        return sorted(
            self._read(os.path.join(self._root, "meta", folder, "meta.json")).name
            for folder in folders
            if os.path.isdir(os.path.join(self._root, "meta", folder))
        )

    def exists(self, name: str) -> bool:
        return os.path.exists(os.path.join(self.meta_folder(name), "meta.json"))

    def get(self, name: str) -> Context:
        """Raises NotFound in Docker's words."""
        path = os.path.join(self.meta_folder(name), "meta.json")
        try:
            return self._read(path)
        except FileNotFoundError as error:
            raise NotFound(
                f'context "{name}": context not found: open {path}: no such file or directory'
            ) from error

    def _read(self, path: str) -> Context:
        with open(path, encoding="utf-8") as file:
            try:
                return Context.of(json.load(file))
            except (ValueError, AttributeError) as error:
                raise InvalidArgument(f"parsing {path}: {error}") from error

    def put(self, context: Context) -> None:
        """Write it, new or anew."""
        folder = self.meta_folder(context.name)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        temporary = os.path.join(folder, "meta.json.new")
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(context.document(), file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, os.path.join(folder, "meta.json"))

    def put_tls(self, name: str, files: dict[str, bytes]) -> None:
        """Replace the TLS files of a context; none removes them."""
        shutil.rmtree(self.tls_folder(name), ignore_errors=True)
        if not files:
            return
        folder = os.path.join(self.tls_folder(name), "docker")
        os.makedirs(folder, mode=0o700)
        for file_name, content in files.items():
            path = os.path.join(folder, file_name)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)

    def tls_files(self, name: str) -> dict[str, bytes]:
        folder = os.path.join(self.tls_folder(name), "docker")
        files = {}
        for file_name in TLS_FILES:
            path = os.path.join(folder, file_name)
            if os.path.exists(path):
                with open(path, "rb") as file:
                    files[file_name] = file.read()
        return files

    def remove(self, name: str) -> None:
        shutil.rmtree(self.tls_folder(name), ignore_errors=True)
        shutil.rmtree(self.meta_folder(name))

    def endpoint(self, name: str) -> Endpoint:
        """Where the context's engine is. Raises NotFound for an unknown one."""
        try:
            context = self.get(name)
        except NotFound as error:
            raise NotFound(f"unable to resolve docker endpoint: {error}") from error
        folder = os.path.join(self.tls_folder(name), "docker")
        tls = None
        if context.host.startswith("tcp://") and (os.path.isdir(folder) or context.skip_verify):
            tls = Tls.folder(folder, verify=not context.skip_verify)
        return Endpoint.parse(context.host, tls=tls)
