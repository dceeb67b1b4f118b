from knarr.cli.cli import Cli
from knarr.cli.columns.history import history_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.platforms import platform_of
from knarr.cli.flags import FORMAT_HELP
from knarr.client.calls import images


@command("image history")
def history(
    cli: Cli,
    image: str,
    *,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    human: Annotated[bool, Flag("Show sizes and dates as people read them", short="-H")] = True,
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
    platform: Annotated[
        str, Flag("Variant to show, of an image with several (os[/arch[/variant]])", since="1.48")
    ] = "",
    quiet: Annotated[bool, Flag("Print IDs only", short="-q")] = False,
) -> None:
    """Show how an image was made"""
    rows = cli.engine.ask(
        images.history(image, platform=platform_of(platform, said="invalid platform: "))
    )
    listing = history_listing(whole=no_trunc, human=human)
    listing.show(cli, rows, form=format_, only="ID" if quiet and not format_ else "")
