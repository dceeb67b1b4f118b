from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.platforms import platform_of
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.cli.inspecting import inspect as show
from knarr.client.calls import images


@command("image inspect", usage="IMAGE [IMAGE...]")
def inspect(
    cli: Cli,
    image: str,
    *more: str,
    format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = "",
    platform: Annotated[
        str, Flag("Variant to show, of an image with several (os[/arch[/variant]])", since="1.49")
    ] = "",
) -> None:
    """Show all about one or more images"""
    wanted = platform_of(platform, said="")
    show(
        cli,
        (image, *more),
        lambda ref: cli.engine.read(images.inspect(ref, platform=wanted)),
        format_,
    )
