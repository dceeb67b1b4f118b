from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.each import each
from knarr.client.calls import containers


@command("container pause", usage="CONTAINER [CONTAINER...]")
def pause(cli: Cli, container: str, *more: str) -> None:
    """Freeze all processes of one or more containers"""
    each(cli, (container, *more), containers.pause)
