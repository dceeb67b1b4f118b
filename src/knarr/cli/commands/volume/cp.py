from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.client.calls import volumes


@command("volume cp", usage="VOLUME NEW-VOLUME")
def cp(cli: Cli, volume: str, new_volume: str) -> None:
    """Make a volume with the same data (shared until written, where the file system can)"""
    cli.print(cli.engine.ask(volumes.copy(volume, new_volume))["Name"])
