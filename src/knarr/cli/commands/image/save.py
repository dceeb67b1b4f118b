from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.platforms import platforms_of
from knarr.cli.flags import STRINGS
from knarr.cli.output import check_output, write_archive
from knarr.client.calls import images


@command("image save", usage="IMAGE [IMAGE...]")
def save(
    cli: Cli,
    image: str,
    *more: str,
    output: Annotated[str, Flag("File to write, in place of standard output", short="-o")] = "",
    platform: Annotated[
        tuple[str, ...],
        Flag("Save only this variant (os[/arch[/variant]])", kind=STRINGS, since="1.48"),
    ] = (),
) -> None:
    """Write one or more images as a tar archive"""
    check_output(output, "failed to save image")
    request = images.save(
        (image, *more), platforms=platforms_of(platform, said="invalid platform: ")
    )
    write_archive(cli, cli.engine.pieces(request), output)
