from knarr import __version__
from knarr.cli.cli import Cli
from knarr.cli.command import command


@command("buildx version")
def version(cli: Cli) -> None:
    """Show the version of the builder, which is knarr's"""
    cli.print(f"knarr v{__version__}")
