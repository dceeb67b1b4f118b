"""The real Compose as a plug-in of the docker CLI."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.abilities import peer
from support.daemon import Daemon


@contextmanager
def compose_plugin(daemon: Daemon) -> Iterator[None]:
    """While the block lasts ``docker compose`` is there, in this daemon's environment."""
    plugins = Path(daemon.environment["DOCKER_CONFIG"], "cli-plugins")
    plugins.mkdir(parents=True, exist_ok=True)
    plugin = plugins / "docker-compose"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(peer("compose/docker-compose"))
    try:
        yield
    finally:
        plugin.unlink()
