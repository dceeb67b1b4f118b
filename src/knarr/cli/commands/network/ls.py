from knarr.cli.cli import Cli
from knarr.cli.columns.network import network_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FILTER, FORMAT_HELP, wanted
from knarr.client.calls import networks


@command("network ls")
def ls(
    cli: Cli,
    *,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching networks", short="-f", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
    quiet: Annotated[bool, Flag("Print IDs only", short="-q")] = False,
) -> None:
    """List networks"""
    form = format_ or ("" if quiet else cli.config.text("networksFormat"))
    found = cli.engine.ask(networks.list_(where=wanted(filter_)))
    rows = sorted(found, key=lambda network: _natural(network["Name"]))
    listing = network_listing(whole=no_trunc)
    listing.show(cli, rows, form=form, only="ID" if quiet and not format_ else "")


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Numbers in names count as numbers: ``net2`` comes before ``net10``."""
    words: list[tuple[bool, int, str]] = []
    word = ""
    for place, letter in enumerate(name):
        word += letter
        following = name[place + 1 : place + 2]
        if not following or following.isdecimal() != letter.isdecimal():
            number = int(word) if word.isdecimal() else 0
            words.append((not word.isdecimal(), number, word))
            word = ""
    return words
