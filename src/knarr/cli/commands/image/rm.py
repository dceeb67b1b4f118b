from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.platforms import platforms_of
from knarr.cli.exit import Exit, text_of
from knarr.cli.flags import STRINGS
from knarr.client.calls import images
from knarr.errors import KnarrError, NotFound


@command("image rm", usage="IMAGE [IMAGE...]")
def rm(
    cli: Cli,
    image: str,
    *more: str,
    force: Annotated[bool, Flag("Remove it although it is used", short="-f")] = False,
    no_prune: Annotated[bool, Flag("Keep unnamed images it was built on")] = False,
    platform: Annotated[
        tuple[str, ...],
        Flag("Remove only this variant (os[/arch[/variant]])", kind=STRINGS, since="1.50"),
    ] = (),
) -> None:
    """Remove one or more images"""
    platforms = platforms_of(platform, said="")
    failures, counts = [], False
    for name in (image, *more):
        request = images.remove(name, force=force, no_prune=no_prune, platforms=platforms)
        try:
            for gone in cli.engine.ask(request):
                word = "Deleted" if gone.get("Deleted") else "Untagged"
                cli.print(f"{word}: {gone.get(word)}")
        except KnarrError as error:
            failures.append(text_of(error))
            counts |= not (force and isinstance(error, NotFound))
    if failures:
        raise Exit(int(counts), "\n".join(failures))
