from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.errors import Unsupported


@command("compose alpha", usage="COMMAND", interspersed=False)
def alpha(cli: Cli, *words: str) -> None:  # noqa: ARG001
    """Experimental commands (not offered)"""
    raise Unsupported("compose alpha: experimental commands of Compose are not offered")
