from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.exit import Exit, text_of
from knarr.client.calls import containers
from knarr.errors import InvalidArgument, KnarrError


@command("container rename")
def rename(cli: Cli, container: str, new_name: str) -> None:
    """Rename a container"""
    old, new = container.strip(), new_name.strip()
    if not old or not new:
        raise InvalidArgument("Error: Neither old nor new names may be empty")
    try:
        cli.engine.ask(containers.rename(old, new))
    except KnarrError as error:
        raise Exit(1, f"{text_of(error)}\nError: failed to rename container named {old}") from error
