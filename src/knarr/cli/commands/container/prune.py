from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.confirm import Pruned, confirmed, prune_filters
from knarr.cli.flags import FILTER, wanted
from knarr.client.calls import containers

WARNING = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?"


@command("container prune", since="1.25")
def prune(
    cli: Cli,
    *,
    filter_: Annotated[
        tuple[tuple[str, str], ...],
        Flag("Remove only matching containers (until=<timestamp>, label=…)", kind=FILTER),
    ] = (),
    force: Annotated[bool, Flag("Do not ask first", short="-f")] = False,
) -> None:
    """Remove all stopped containers"""
    if force or confirmed(cli, WARNING):
        containers_pruned(cli, wanted(filter_)).show(cli)


def containers_pruned(cli: Cli, filters: dict[str, list[str]]) -> Pruned:
    """Remove them, and tell what has gone."""
    told = cli.engine.ask(containers.prune(prune_filters(cli, filters)))
    gone = told.get("ContainersDeleted") or ()
    return Pruned("Containers", gone, told.get("SpaceReclaimed", 0))
