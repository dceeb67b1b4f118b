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
    explain: Annotated[
        bool, Flag("Tell what shares what, and what a removal would free (knarr's engine only)")
    ] = False,
    filter_: Annotated[
        tuple[tuple[str, str], ...], Flag("Keep only matching images", short="-f", kind=FILTER)
    ] = (),
    format_: Annotated[str, Flag(FORMAT_HELP)] = "",
    no_trunc: Annotated[bool, Flag("Print whole values")] = False,
    quiet: Annotated[bool, Flag("Print IDs only", short="-q")] = False,
    tree: Annotated[bool, Flag("Show the variants of multi-platform images", since="1.47")] = False,
) -> None:
    """List images"""
    filters = wanted(filter_)
    if repository:
        filters.setdefault("reference", []).append(repository)
    if explain:
        _explain(cli, filters, all_=all_, whole=no_trunc)
        return
    if tree:
        for given, name in ((no_trunc, "no-trunc"), (quiet, "quiet"), (digests, "show-digest"),
                            (format_, "format")):  # fmt: skip
            if given:
                raise Unsupported(f"--{name} is not yet supported with --tree")
        from knarr.cli.columns.image_tree import show_tree

        found = cli.engine.ask(images.list_(all_=all_, where=filters, manifests=True))
        show_tree(cli.out, found, untagged=all_)
        return
    form = format_ or ("" if quiet else cli.config.text("imagesFormat"))
    found = cli.engine.ask(images.list_(all_=all_, where=filters))
    listing = image_listing(whole=no_trunc)
    names = listing.default
    default = (*names[:2], "Digest", *names[2:]) if digests else names
    rows = rows_of(found, digests=digests or "{{.Digest}}" in form)
    listing.show(cli, rows, form=form, only="ID" if quiet and not format_ else "", default=default)


def _explain(cli: Cli, filters: dict[str, list[str]], *, all_: bool, whole: bool) -> None:
    from knarr.cli.columns.sharing import show_images

    shown = [row["Id"] for row in cli.engine.ask(images.list_(all_=all_, where=filters))]
    by_id = {row["Id"]: row for row in cli.engine.ask(images.explain())["Images"]}
    show_images(cli.out, [by_id[each] for each in shown if each in by_id], whole=whole)
