from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.confirm import Pruned, confirmed, prune_filters
from knarr.cli.flags import FILTER, wanted
from knarr.client.calls import volumes
from knarr.errors import InvalidArgument


@command("volume prune", since="1.25")
def prune(
    cli: Cli,
    *,
    all_: Annotated[
        bool, Flag("Remove named volumes too, not only anonymous ones", short="-a", since="1.42")
    ] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Remove only matching volumes (label=…)", kind=FILTER)
    ] = (),
    force: Annotated[bool, Flag("Do not ask first", short="-f")] = False,
) -> None:
    """Remove anonymous volumes that no container has"""
    filters = wanted(filter_)
    if all_:
        if "all" in filters:
            raise InvalidArgument(
                "conflicting options: cannot specify both --all and --filter all=1"
            )
        filters["all"] = ["true"]
    what = "anonymous" if "all" not in filters and cli.engine.speaks("1.42") else "all"
    warning = (
        f"WARNING! This will remove {what} local volumes not used by at least one container.\n"
        "Are you sure you want to continue?"
    )
    if force or confirmed(cli, warning):
        volumes_pruned(cli, filters).show(cli)


def volumes_pruned(cli: Cli, filters: dict[str, list[str]]) -> Pruned:
    """Remove them, and tell what has gone."""
    told = cli.engine.ask(volumes.prune(prune_filters(cli, filters)))
    gone = told.get("VolumesDeleted") or ()
    return Pruned("Volumes", gone, told.get("SpaceReclaimed", 0))
