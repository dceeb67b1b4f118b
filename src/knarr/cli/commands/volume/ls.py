from knarr.cli.cli import Cli
from knarr.cli.columns.volume import volume_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FILTER, FORMAT_HELP, wanted
from knarr.client.calls import volumes


@command("volume ls", since="1.21")
def ls(
    cli: Cli,
    *,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching volumes", short="-f", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    quiet: Annotated[bool, Flag("Print names only", short="-q")] = False,
) -> None:
    """List volumes"""
    form = format_ or ("" if quiet else cli.config.text("volumesFormat"))
    found = cli.engine.ask(volumes.list_(where=wanted(filter_)))
    rows = sorted(found.get("Volumes") or (), key=lambda volume: volume["Name"])
    volume_listing().show(cli, rows, form=form, only="Name" if quiet and not format_ else "")
