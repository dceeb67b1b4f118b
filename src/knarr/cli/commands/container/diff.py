from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.client.calls import containers

KINDS = ("C", "A", "D")  # changed, added, deleted


@command("container diff")
def diff(cli: Cli, container: str) -> None:
    """Show which files of a container differ from its image"""
    for change in cli.engine.ask(containers.changes(container)) or ():
        cli.print(f"{KINDS[change['Kind']]} {change['Path']}")
