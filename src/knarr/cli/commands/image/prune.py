from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.confirm import Pruned, confirmed, prune_filters
from knarr.cli.flags import FILTER, wanted
from knarr.client.calls import images


@command("image prune", since="1.25")
def prune(
    cli: Cli,
    *,
    all_: Annotated[
        bool, Flag("Remove all images that no container has, not only unnamed ones", short="-a")
    ] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...],
        Flag("Remove only matching images (until=<timestamp>, label=…)", kind=FILTER),
    ] = (),
    force: Annotated[bool, Flag("Do not ask first", short="-f")] = False,
) -> None:
    """Remove images that nobody uses"""
    what = "images without at least one container associated to them" if all_ else "dangling images"
    warning = f"WARNING! This will remove all {what}.\nAre you sure you want to continue?"
    if force or confirmed(cli, warning):
        images_pruned(cli, wanted(filter_), all_=all_).show(cli)


def images_pruned(cli: Cli, filters: dict[str, list[str]], *, all_: bool) -> Pruned:
    """Remove them, and tell what has gone."""
    filters = prune_filters(cli, {**filters, "dangling": ["false" if all_ else "true"]})
    told = cli.engine.ask(images.prune(filters))
    lines = []
    for gone in told.get("ImagesDeleted") or ():
        if gone.get("Untagged"):
            lines.append(f"untagged: {gone['Untagged']}")
        else:
            lines.append(f"deleted: {gone['Deleted']}")
    return Pruned("Images", lines, told.get("SpaceReclaimed", 0))
