from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.each import each
from knarr.client.calls import volumes


@command("volume rm", usage="VOLUME [VOLUME...]", since="1.21")
def rm(
    cli: Cli,
    volume: str,
    *more: str,
    force: Annotated[
        bool, Flag("No error where there is no such volume", short="-f", since="1.25")
    ] = False,
) -> None:
    """Remove one or more volumes that no container has"""
    each(cli, (volume, *more), lambda name: volumes.remove(name, force=force))
