from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.credentials import HUB, header_for
from knarr.cli.flags import FILTER, wanted
from knarr.cli.listing import Column, Listing
from knarr.cli.text import ellipsis
from knarr.client.calls import images

DESCRIPTION_WIDTH = 45


@command("search", usage="TERM")
def search(
    cli: Cli,
    term: str,
    *,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching images", short="-f", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag("Format the output by a Go template")] = "",
    limit: Annotated[int, Flag("Largest number of results")] = 0,
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
) -> None:
    """Look for images on the hub"""
    request = images.search(
        term, limit=limit or None, where=wanted(filter_), auth=header_for(cli, HUB)
    )
    rows = sorted(cli.engine.ask(request) or (), key=lambda row: -row.get("star_count", 0))
    _listing(whole=no_trunc).show(cli, rows, form=format_)


def _listing(*, whole: bool) -> Listing:
    def description(row: dict[str, str]) -> str:
        text = row.get("description", "").replace("\n", " ").replace("\r", " ")
        return text if whole else ellipsis(text, DESCRIPTION_WIDTH)

    columns = {
        "Name": Column("NAME", lambda row: row["name"]),
        "Description": Column("DESCRIPTION", description),
        "StarCount": Column("STARS", lambda row: str(row.get("star_count", 0))),
        "IsOfficial": Column("OFFICIAL", lambda row: "[OK]" if row.get("is_official") else ""),
    }
    return Listing("*formatter.searchContext", columns, tuple(columns))
