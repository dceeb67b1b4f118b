from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.cli.table import aligned
from knarr.client.calls import containers

NARROWEST = 20  # columns of a cell


@command("container top", usage="CONTAINER [ps OPTIONS]", interspersed=False)
def top(cli: Cli, container: str, *ps_options: str) -> None:
    """Show the processes of a container"""
    found = cli.engine.ask(containers.top(container, ps_args=" ".join(ps_options)))
    rows = [found.get("Titles") or [], *(found.get("Processes") or ())]
    cli.out.write(aligned(("\t".join(row) for row in rows), narrowest=NARROWEST))
