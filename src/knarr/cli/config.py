"""The client's configuration file, ``~/.docker/config.json``: shared with docker's own client.

What we do not know stays when we write. Source: formats.md, "Client configuration".
"""

from __future__ import annotations

import os

from knarr.client.lean import TYPE_CHECKING, loads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAME = "config.json"


class Config:
    """The file's content, and the folder it is in."""

    def __init__(self, folder: str, values: dict[str, Any]) -> None:
        self.folder = folder
        self.values = values

    @classmethod
    def read(cls, folder: str, warn: Callable[[str], None]) -> Config:
        """The file of a folder. A broken one is told about and counts as empty."""
        path = os.path.join(folder, NAME)
        try:
            with open(path, "rb") as file:
                values = loads(file.read())
        except FileNotFoundError:
            return cls(folder, {})
        except (OSError, ValueError) as error:
            warn(f"WARNING: Error loading config file: {path}: {error}")
            return cls(folder, {})
        return cls(folder, values if isinstance(values, dict) else {})

    def text(self, key: str) -> str:
        """A setting that is a string; another kind of value counts as absent."""
        value = self.values.get(key, "")
        return value if isinstance(value, str) else ""

    @property
    def current_context(self) -> str:
        return self.text("currentContext")

    @property
    def http_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers for every request; ours of the same name are not replaced."""
        headers = self.values.get("HttpHeaders")
        if not isinstance(headers, dict):
            return ()
        return tuple(
            (name, str(value))
            for name, value in headers.items()
            if name.lower() not in ("user-agent", "host")
        )

    def write(self) -> None:
        """Write it back, readable by its owner alone: first beside, then in its place."""
        import json
        import tempfile

        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        path = os.path.realpath(os.path.join(self.folder, NAME))  # a link to it stays one
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=NAME)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self.values, file, indent="\t", ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o600)
        os.replace(temporary, path)
