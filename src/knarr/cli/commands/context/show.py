from knarr.cli.cli import Cli
from knarr.cli.command import command


@command("context show")
def show(cli: Cli) -> None:
    """Print the name of the current context"""
    cli.print(cli.context)
