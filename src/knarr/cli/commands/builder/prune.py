from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.confirm import Pruned, confirmed
from knarr.cli.flags import BYTES, FILTER, wanted
from knarr.client.calls import system


@command("builder prune", since="1.39")
def prune(
    cli: Cli,
    *,
    all_: Annotated[bool, Flag("Remove what images still use, too", short="-a")] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Remove only what matches (until=24h)", kind=FILTER)
    ] = (),
    force: Annotated[bool, Flag("Do not ask first", short="-f")] = False,
    keep_storage: Annotated[int, Flag("Bytes to leave in place", kind=BYTES)] = 0,
) -> None:
    """Remove what builds have kept for the next time"""
    what = "all build cache" if all_ else "all dangling build cache"
    if not force and not confirmed(cli, f"WARNING! This will remove {what}."
                                        " Are you sure you want to continue?"):  # fmt: skip
        return
    request = system.prune_build_cache(
        all_=all_, keep_bytes=keep_storage or None, where=wanted(filter_)
    )
    told = cli.engine.ask(request)
    lines = told.get("CachesDeleted") or ()
    Pruned("build cache objects", lines, told.get("SpaceReclaimed", 0)).show(cli)
