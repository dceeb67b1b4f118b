from knarr.cli.cli import Cli
from knarr.cli.columns.container import container_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FILTER, FORMAT_HELP, wanted
from knarr.client.calls import containers


@command("container ls")
def ls(
    cli: Cli,
    *,
    all_: Annotated[bool, Flag("Include containers that do not run", short="-a")] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching entries", short="-f", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    last: Annotated[int, Flag("Show the N newest, in any state", short="-n")] = -1,
    latest: Annotated[bool, Flag("Show the newest one, in any state", short="-l")] = False,
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
    quiet: Annotated[bool, Flag("Print IDs only", short="-q")] = False,
    size: Annotated[bool, Flag("Include the sizes of files", short="-s")] = False,
) -> None:
    """List containers"""
    form = format_ or ("" if quiet else cli.config.text("psFormat"))
    limit = 1 if latest and last < 0 else last
    rows = cli.engine.ask(
        containers.list_(
            all_=all_ or limit > 0,
            limit=limit if limit > 0 else None,
            size=size or ".Size" in form or "json ." in form,
            where=wanted(filter_),
        )
    )
    listing = container_listing(whole=no_trunc)
    default = (*listing.default, "Size") if size else listing.default
    listing.show(cli, rows, form=form, only="ID" if quiet and not format_ else "", default=default)
