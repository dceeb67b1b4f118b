from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.sources import file_pieces
from knarr.client.calls import volumes


@command("volume import", usage="VOLUME file|-")
def import_(cli: Cli, volume: str, source: str) -> None:
    """Make a tar archive the data of a volume: a new one, or one that is empty"""
    cli.print(cli.engine.ask(volumes.import_(volume, file_pieces(source)))["Name"])
