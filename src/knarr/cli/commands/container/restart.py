from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.each import each
from knarr.client.calls import containers


@command("container restart", usage="CONTAINER [CONTAINER...]")
def restart(
    cli: Cli,
    container: str,
    *more: str,
    signal: Annotated[str, Flag("Signal to send first", short="-s")] = "",
    timeout: Annotated[
        int | None,
        Flag("Seconds to wait before the container is killed", short="-t", deprecated=("time",)),
    ] = None,
) -> None:
    """Restart one or more containers"""
    each(
        cli,
        (container, *more),
        lambda name: containers.restart(name, timeout=timeout, signal=signal),
    )
