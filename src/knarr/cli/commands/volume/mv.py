from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.client.calls import volumes


@command("volume mv", usage="VOLUME NEW-NAME")
def mv(cli: Cli, volume: str, new_name: str) -> None:
    """Give a volume that no container has another name"""
    cli.engine.ask(volumes.rename(volume, new_name))
    cli.print(new_name)
