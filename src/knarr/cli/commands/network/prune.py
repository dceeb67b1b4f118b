from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.confirm import Pruned, confirmed, prune_filters
from knarr.cli.flags import FILTER, wanted
from knarr.client.calls import networks

WARNING = (
    "WARNING! This will remove all custom networks not used by at least one container.\n"
    "Are you sure you want to continue?"
)


@command("network prune", since="1.25")
def prune(
    cli: Cli,
    *,
    filter_: Annotated[
        tuple[tuple[str, str], ...],
        Flag("Remove only matching networks (until=<timestamp>, label=…)", kind=FILTER),
    ] = (),
    force: Annotated[bool, Flag("Do not ask first", short="-f")] = False,
) -> None:
    """Remove all networks that nobody is on"""
    if force or confirmed(cli, WARNING):
        cli.out.write(networks_pruned(cli, wanted(filter_)).text)


def networks_pruned(cli: Cli, filters: dict[str, list[str]]) -> Pruned:
    """Remove them, and tell what has gone."""
    told = cli.engine.ask(networks.prune(prune_filters(cli, filters)))
    return Pruned("Networks", told.get("NetworksDeleted") or (), 0)
