import os
import sys

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.create.platforms import platforms_of
from knarr.cli.flags import STRINGS
from knarr.cli.progress import show_progress
from knarr.cli.sources import file_pieces
from knarr.client.calls import images
from knarr.errors import KnarrError


@command("image load")
def load(
    cli: Cli,
    *,
    input_: Annotated[str, Flag("Archive to read, in place of standard input", short="-i")] = "",
    platform: Annotated[
        tuple[str, ...],
        Flag("Load only this variant (os[/arch[/variant]])", kind=STRINGS, since="1.48"),
    ] = (),
    quiet: Annotated[bool, Flag("Do not show the progress", short="-q")] = False,
) -> None:
    """Take in images from a tar archive"""
    if not input_ and os.isatty(sys.stdin.fileno()):
        raise KnarrError("requested load from stdin, but stdin is empty")
    quiet = quiet or not cli.out.isatty()
    request = images.load(
        file_pieces(input_),
        quiet=quiet,
        platforms=platforms_of(platform, said="invalid platform: "),
    )
    show_progress(cli.engine.lines(request), cli.out)
