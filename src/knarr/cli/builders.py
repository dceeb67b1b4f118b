"""The one builder there is, as tools that look for buildx builders want to see it."""

from __future__ import annotations

from knarr import __version__
from knarr.cli.cli import Cli
from knarr.client.calls import system
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import NotFound

if TYPE_CHECKING:
    from typing import Any

DEFAULT = "default"


class Builder:
    """The engine as a builder of buildx's driver "docker": it builds in its own store."""

    __slots__ = ("platform",)

    def __init__(self, platform: str) -> None:
        self.platform = platform  # os/architecture, as images have it

    @classmethod
    def of(cls, cli: Cli, name: str = "") -> Builder:
        """Raises NotFound for any name but ``default``."""
        if name not in ("", DEFAULT):
            raise NotFound(f'no builder "{name}" found: knarr has one builder, "{DEFAULT}"')
        told = cli.engine.ask(system.version())
        return cls(f"{told.get('Os', 'linux')}/{told.get('Arch', '')}")

    def document(self) -> dict[str, Any]:
        """As ``buildx ls --format json`` has a builder."""
        node = {
            "Name": DEFAULT,
            "Endpoint": DEFAULT,
            "Status": "running",
            "Version": f"v{__version__}",
            "Platforms": [self.platform],
        }
        return {
            "Name": DEFAULT,
            "Driver": "docker",
            "Current": True,
            "Dynamic": False,
            "LastActivity": "0001-01-01T00:00:00Z",
            "Nodes": [node],
        }

    def text(self) -> str:
        rows = (
            ("Name", DEFAULT),
            ("Endpoint", DEFAULT),
            ("Status", "running"),
            ("Knarr version", f"v{__version__}"),
            ("Platforms", self.platform),
        )
        node = "".join(f"{f'{name}:':<18}{value}\n" for name, value in rows)
        return f"Name:   {DEFAULT}\nDriver: docker\n\nNodes:\n{node}"
