from knarr.cli.cli import Cli
from knarr.cli.columns.container import container_listing
from knarr.cli.columns.image import image_listing
from knarr.cli.columns.usage import cache_listing, cache_size, image_rows, sums, usage_listing
from knarr.cli.columns.volume import volume_listing
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import FORMAT_HELP
from knarr.cli.listing import Listing
from knarr.client.calls import system
from knarr.client.lean import Any
from knarr.errors import InvalidArgument, NotFound, Unsupported

Row = dict[str, Any]


@command("system df", since="1.25")
def df(
    cli: Cli,
    *,
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    verbose: Annotated[bool, Flag("Show every object", short="-v")] = False,
) -> None:
    """Show where the disk space is"""
    usage = cli.engine.ask(system.data_usage())
    if not verbose:
        usage_listing().show(cli, sums(usage), form=format_)
    elif format_:
        _formatted(cli, usage, format_)
    else:
        _show_all(cli, usage)


def _parts(usage: Row) -> tuple[tuple[str, Listing, list[Row], tuple[str, ...]], ...]:
    """What each part is called in a template, its columns, its rows, the columns of its table."""
    return (
        ("Images", image_listing(whole=True), image_rows(usage),
         ("Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize",
          "Containers")),
        ("Containers", container_listing(whole=True), usage.get("Containers") or [],
         ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names")),
        ("Volumes", volume_listing(), usage.get("Volumes") or [], ("Name", "Links", "Size")),
        ("BuildCache", cache_listing(whole=True), usage.get("BuildCache") or [], ()),
    )  # fmt: skip


def _show_all(cli: Cli, usage: Row) -> None:
    images, containers, volumes, cache = _parts(usage)
    cli.print("Images space usage:\n")
    _image_table().show(cli, images[2], default=images[3])
    cli.print("\nContainers space usage:\n")
    container_listing(whole=False).show(cli, [_short(row) for row in containers[2]],
                                        default=containers[3])  # fmt: skip
    cli.print("\nLocal Volumes space usage:\n")
    volumes[1].show(cli, volumes[2], default=volumes[3])
    cli.print(f"\nBuild cache usage: {cache_size(usage)}\n")
    cache_listing(whole=False).show(cli, cache[2])
    _explain(cli)


def _explain(cli: Cli) -> None:
    """What shares what, and what would be freed: of engines that tell it."""
    from knarr.cli.columns.sharing import show_summary
    from knarr.client.calls import images

    try:
        found = cli.engine.ask(images.explain())
    except (NotFound, Unsupported):  # another engine
        return
    show_summary(cli.out, found)


def _short(row: Row) -> Row:
    """Without the whole size, which this table does not show."""
    return {**row, "SizeRootFs": 0}


def _image_table() -> Listing:
    from knarr.cli.listing import Column
    from knarr.units import human_size_precise

    listing = image_listing(whole=False)
    for name, heading in (("SharedSize", "SHARED SIZE"), ("UniqueSize", "UNIQUE SIZE")):
        key = name
        listing.columns[name] = Column(
            heading,
            lambda row, key=key: human_size_precise(
                row["SharedSize"] if key == "SharedSize" else row["Size"] - row["SharedSize"]
            ),
        )
    return listing


def _formatted(cli: Cli, usage: Row, form: str) -> None:
    from knarr.cli.formatted import Row as TemplateRow
    from knarr.cli.formatted import renderer, unescaped
    from knarr.cli.records import Record

    if form.startswith("table"):
        raise InvalidArgument("the verbose mode has a table for each kind: --format has no effect")
    values = {
        name: [TemplateRow(listing, row) for row in rows]
        for name, listing, rows, _ in _parts(usage)
    }
    source = "{{json .}}" if form == "json" else unescaped(form)
    cli.out.write(renderer(source)(Record("*formatter.diskUsageContext", values)))
