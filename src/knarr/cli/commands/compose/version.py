import json

from knarr import __version__
from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.flags import Common
from knarr.compose.labels import COMPOSE_VERSION


@command("compose version")
def version(
    cli: Cli,
    *,
    common: Common,  # noqa: ARG001
    format_: Annotated[str, Flag('Form of the output ("pretty"|"json")', short="-f")] = "",
    short: Annotated[bool, Flag("Print the number only")] = False,
) -> None:
    """Show the version"""
    if short:
        cli.print(COMPOSE_VERSION)
    elif format_ == "json":
        cli.print(json.dumps({"version": f"v{COMPOSE_VERSION}"}, separators=(",", ":")))
    else:
        cli.print(f"Docker Compose version v{COMPOSE_VERSION} (knarr {__version__})")
