from knarr.cli.cli import Cli
from knarr.cli.columns.image import image_listing, rows_of
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FILTER, FORMAT_HELP, wanted
from knarr.client.calls import images
from knarr.errors import Unsupported


@command("image ls", usage="[REPOSITORY[:TAG]]")
def ls(
    cli: Cli,
    repository: str = "",
    *,
    all_: Annotated[bool, Flag("Include images that others are built on", short="-a")] = False,
    digests: Annotated[bool, Flag("Show digests")] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching images", short="-f", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
    quiet: Annotated[bool, Flag("Print IDs only", short="-q")] = False,
    tree: Annotated[bool, Flag("Show the variants of multi-platform images", since="1.47")] = False,
) -> None:
    """List images"""
    if tree:
        raise Unsupported("--tree is not there yet")
    filters = wanted(filter_)
    if repository:
        filters.setdefault("reference", []).append(repository)
    form = format_ or ("" if quiet else cli.config.text("imagesFormat"))
    found = cli.engine.ask(images.list_(all_=all_, where=filters))
    listing = image_listing(whole=no_trunc)
    names = listing.default
    default = (*names[:2], "Digest", *names[2:]) if digests else names
    rows = rows_of(found, digests=digests or "{{.Digest}}" in form)
    listing.show(cli, rows, form=form, only="ID" if quiet and not format_ else "", default=default)
