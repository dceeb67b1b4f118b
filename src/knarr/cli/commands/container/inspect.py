from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.cli.inspecting import inspect as show
from knarr.client.calls import containers


@command("container inspect", usage="CONTAINER [CONTAINER...]")
def inspect(
    cli: Cli,
    container: str,
    *more: str,
    format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = "",
    size: Annotated[bool, Flag("Include the sizes of files", short="-s")] = False,
) -> None:
    """Show all about one or more containers"""
    show(
        cli,
        (container, *more),
        lambda ref: cli.engine.read(containers.inspect(ref, size=size)),
        format_,
    )
