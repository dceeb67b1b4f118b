from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.flags import INSPECT_FORMAT_HELP
from knarr.cli.inspecting import inspect as show
from knarr.client.calls import volumes


@command("volume inspect", usage="VOLUME [VOLUME...]", since="1.21")
def inspect(
    cli: Cli,
    volume: str,
    *more: str,
    format_: Annotated[str, Flag(INSPECT_FORMAT_HELP, short="-f")] = "",
) -> None:
    """Show all about one or more volumes"""
    show(cli, (volume, *more), lambda ref: cli.engine.read(volumes.inspect(ref)), format_)
