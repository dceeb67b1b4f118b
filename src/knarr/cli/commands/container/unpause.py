from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.each import each
from knarr.client.calls import containers


@command("container unpause", usage="CONTAINER [CONTAINER...]")
def unpause(cli: Cli, container: str, *more: str) -> None:
    """Let all processes of one or more paused containers go on"""
    each(cli, (container, *more), containers.unpause)
