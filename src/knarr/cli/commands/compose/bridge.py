from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.errors import Unsupported


@command("compose bridge", usage="COMMAND", interspersed=False)
def bridge(cli: Cli, *words: str) -> None:  # noqa: ARG001
    """Turn a project into another model (not offered)"""
    raise Unsupported("compose bridge: images that turn projects into other models are not offered")
