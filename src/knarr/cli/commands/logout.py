from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.credentials import erase, key_of


@command("logout", usage="[SERVER]")
def logout(cli: Cli, server: str = "") -> None:
    """Log out from a registry"""
    key = key_of(server.removeprefix("https://").removeprefix("http://").rstrip("/"))
    cli.print(f"Removing login credentials for {key}")
    erase(cli, key)
