from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.each import each
from knarr.client.calls import containers


@command("container kill", usage="CONTAINER [CONTAINER...]")
def kill(
    cli: Cli,
    container: str,
    *more: str,
    signal: Annotated[str, Flag("Signal to send, by name or number", short="-s")] = "",
) -> None:
    """Kill one or more running containers"""
    each(cli, (container, *more), lambda name: containers.kill(name, signal=signal or "KILL"))
